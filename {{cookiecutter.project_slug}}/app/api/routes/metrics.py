"""Metrics for Prometheus; the gauges of undelivered events are measured in the database when they are requested."""

import asyncio
from functools import lru_cache
from time import monotonic

import structlog
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from app.core.cqrs import CQRSError
from app.dependencies import Service
from app.persistence.engine.database import Database
from app.persistence.events.outbox_statistics import Queue, queues
from app.persistence.events.reaction import reason

PATIENCE_SECONDS = 1.0
COUNTED_AT_MOST = 50_000
WARNING_SECONDS = 600.0
"""A lasting failure is logged once in this time, however often the gauges are requested."""

logger = structlog.get_logger(__name__)
router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response)
async def metrics(service: Service) -> Response:
    """All metrics of this process, and the gauges of the outbox if the database answers within a second."""
    waiting = await outbox_gauges(await service.container.get(Database))
    return Response(generate_latest() + waiting, media_type=CONTENT_TYPE_LATEST)


async def outbox_gauges(database: Database) -> bytes:
    """The gauges of undelivered events as text; only `outbox_gauges_failed` if the database does not answer in time."""
    # A new registry each time, so that a value of an earlier measurement is never exported again.
    registry = CollectorRegistry()
    failed = Gauge("outbox_gauges_failed", "1 if the other gauges of the outbox could not be read.", registry=registry)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await queues(database, COUNTED_AT_MOST)
    except (CQRSError, SQLAlchemyError, TimeoutError) as error:
        failed.set(1)
        _warn(reason(error), int(monotonic() / WARNING_SECONDS))
    else:
        _measure(registry, found)
    return generate_latest(registry)


@lru_cache(maxsize=16)
def _warn(reason: str, period: int) -> None:
    """Log a failure: the cache lets each reason through once in a period."""
    logger.warning("outbox_gauges_failed", reason=reason)


def _measure(registry: CollectorRegistry, found: list[Queue]) -> None:
    def gauge(name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, ("handler",), registry=registry)

    limit = f"counted up to {COUNTED_AT_MOST}"
    waiting = gauge("outbox_waiting_events", f"Events that wait to be delivered, {limit}.")
    oldest = gauge("outbox_oldest_waiting_seconds", "How long ago the oldest waiting event happened.")
    dead = gauge("outbox_dead_events", f"Waiting events that are not retried, see `app outbox`, {limit}.")
    for queue in found:
        waiting.labels(queue.handler).set(queue.waiting)
        oldest.labels(queue.handler).set(queue.oldest_seconds)
        dead.labels(queue.handler).set(queue.dead)
