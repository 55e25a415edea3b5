"""Deletes expired rows, in the background and in small batches."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Column, ColumnElement, Delete, Table, delete, exists, select, true, tuple_

from app.core.config import Settings
from app.core.cqrs import Clock, CQRSError
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, inbox, reactions, received_events
from app.persistence.tables import idempotency_keys, login_sessions

BATCH = 500
"""Rows deleted by one transaction; other writers do not wait long for so few."""

RECEIVED_SECONDS = 30 * 24 * 3600
"""30 days: no message is redelivered after that."""

logger = structlog.get_logger(__name__)


class Expiry(NamedTuple):
    """The condition on which rows of a table are deleted."""

    moment: Column[datetime]
    kept_seconds: float
    """How long rows are kept after that moment."""
    when: ColumnElement[bool] = true()
    """A further condition."""


def expiries(settings: Settings) -> Iterator[Expiry]:
    """The rows that are swept.

    Refresh tokens are deleted with their login, and old ones by its next refresh, so that the reuse of one is detected.
    An inbox row is kept for as long as its event may be delivered again, and the last event of another service's
    aggregate until the next one was handed out, which may name it as its predecessor a year later.
    """
    yield Expiry(idempotency_keys.c.claimed_at, settings.idempotency_key_seconds)
    yield Expiry(login_sessions.c.expires_at, 0)
    yield Expiry(login_sessions.c.revoked_at, 0)
    waits = exists().where(reactions.c.event_id == received_events.c.id)
    yield Expiry(received_events.c.published_at, RECEIVED_SECONDS, ~waits & _is_followed())
    yield Expiry(
        inbox.c.received_at, RECEIVED_SECONDS, ~_is_new_in(event_log) & ~_is_new_in(received_events) & ~_waits()
    )


def _is_followed() -> ColumnElement[bool]:
    """Whether a received event has no place in an order, or a later one of its aggregate was handed out."""
    event, later = received_events.c, received_events.alias("later").c
    has_later = exists().where(
        later.source == event.source,
        later.aggregate_type == event.aggregate_type,
        later.aggregate_id == event.aggregate_id,
        later.version > event.version,
        later.published_at.is_not(None),
    )
    return event.aggregate_id.is_(None) | has_later


def _is_new_in(events: Table) -> ColumnElement[bool]:
    return exists().where(events.c.id == inbox.c.event_id, events.c.published_at.is_(None))


def _waits() -> ColumnElement[bool]:
    return exists().where(reactions.c.event_id == inbox.c.event_id)


class Sweeper:
    """Deletes expired rows of one service. Concurrent sweepers do not wait for each other."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._interval = settings.sweep_interval_seconds
        self._expiries = list(expiries(settings))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep regularly for as long as the context is open."""
        task = asyncio.create_task(self._sweep_regularly(), name="sweeper")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def sweep(self) -> int:
        """Delete all expired rows. Returns their number."""
        now = self._clock.now()
        return sum([await self._sweep(_batch(expiry, now)) for expiry in self._expiries])

    async def _sweep_regularly(self) -> None:
        # Jitter: processes that start together sweep at different times, and short-lived ones sometimes sweep, too.
        wait = random.uniform(0, self._interval)  # noqa: S311  # no secret
        while True:
            await asyncio.sleep(wait)
            wait = self._interval * random.uniform(0.8, 1.2)  # noqa: S311
            try:
                swept = await self.sweep()
                logger.debug("rows_swept", rows=swept)
            except CQRSError as error:
                logger.warning("sweep_failed", reason=error.message)
            except Exception:
                logger.exception("sweep_failed")

    async def _sweep(self, statement: Delete) -> int:
        swept = 0
        while True:
            async with self._database.writing_engine.begin() as connection:
                rows = (await connection.execute(statement)).rowcount
            swept += rows
            if rows < BATCH:
                return swept


def _batch(expiry: Expiry, now: datetime) -> Delete:
    """Delete up to `BATCH` expired rows; rows locked by other transactions are skipped."""
    key: Any = expiry.moment.table.primary_key
    is_over = expiry.moment <= now - timedelta(seconds=expiry.kept_seconds)
    some = select(*key).where(is_over, expiry.when).limit(BATCH).with_for_update(skip_locked=True, of=key.table)
    return delete(key.table).where(tuple_(*key).in_(some))
