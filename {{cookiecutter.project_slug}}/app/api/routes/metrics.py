"""Metrics for Prometheus."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from app.api.gauges import outbox_gauges
from app.dependencies import Service
from app.persistence.engine.database import Database

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response)
async def metrics(service: Service) -> Response:
    """All metrics of this process, and the gauges of the outbox if the database answers within a second."""
    waiting = await outbox_gauges(await service.container.get(Database))
    return Response(generate_latest() + waiting, media_type=CONTENT_TYPE_LATEST)
