"""Metrics for Prometheus."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from app.api.gauges import waiting_events
from app.dependencies import Service
from app.persistence.engine.database import Database

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response)
async def metrics(service: Service) -> Response:
    """All metrics of this process, and the number of undelivered events unless the database does not answer."""
    waiting = await waiting_events(await service.container.get(Database))
    return Response(generate_latest() + waiting, media_type=CONTENT_TYPE_LATEST)
