"""What the service counts and measures, for Prometheus."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """All metrics of this process, as text."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
