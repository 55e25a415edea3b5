"""Gauges of undelivered events in the database, measured when they are requested."""

import asyncio

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from app.core.cqrs import CQRSError
from app.persistence.engine.database import Database
from app.persistence.events.outbox_statistics import Backlog, backlogs

PATIENCE_SECONDS = 1.0
COUNTED_AT_MOST = 50_000


async def outbox_gauges(database: Database) -> bytes:
    """The gauges of undelivered events as text; empty if the database does not answer in time."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await backlogs(database, COUNTED_AT_MOST)
    except (CQRSError, SQLAlchemyError, TimeoutError):
        return b""
    return _gauges(found)


def _gauges(found: list[Backlog]) -> bytes:
    # A new registry each time, so that a value of an earlier measurement is never exported again.
    registry = CollectorRegistry()

    def gauge(name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, ("handler",), registry=registry)

    waiting = gauge("outbox_waiting_events", f"Events that wait to be delivered, counted up to {COUNTED_AT_MOST}.")
    oldest = gauge("outbox_oldest_waiting_seconds", "How long ago the oldest of them happened.")
    dead = gauge("outbox_dead_events", "Dead events: those of them that are not retried, see `app outbox`.")
    for backlog in found:
        waiting.labels(backlog.handler).set(backlog.waiting)
        oldest.labels(backlog.handler).set(backlog.oldest_seconds)
        dead.labels(backlog.handler).set(backlog.dead)
    return generate_latest(registry)
