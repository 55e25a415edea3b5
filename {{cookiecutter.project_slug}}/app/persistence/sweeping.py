"""Rows that nobody needs any more are deleted, in the background and a few at a time."""

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
from app.persistence.tables import event_log, idempotency_keys, inbox, login_sessions, reactions, received_events

BATCH = 500
"""Rows of one transaction: nobody waits long behind it."""

RECEIVED_SECONDS = 30 * 24 * 3600
"""No broker delivers a message again after that."""

logger = structlog.get_logger(__name__)


class Expiry(NamedTuple):
    """When rows are done with."""

    moment: Column[datetime]
    kept_seconds: float
    """How long they are kept after that moment."""
    when: ColumnElement[bool] = true()
    """What else must be so."""


def expiries(settings: Settings) -> Iterator[Expiry]:
    """What is swept.

    A login's refresh tokens go with it, and not before: one that is used again must be known. That a handler has had
    an event is known for as long as the event may come again.
    """
    yield Expiry(idempotency_keys.c.claimed_at, settings.idempotency_key_seconds)
    yield Expiry(login_sessions.c.expires_at, 0)
    yield Expiry(login_sessions.c.revoked_at, 0)
    waits = exists().where(reactions.c.event_id == received_events.c.id)
    yield Expiry(received_events.c.published_at, RECEIVED_SECONDS, ~waits)
    yield Expiry(
        inbox.c.received_at, RECEIVED_SECONDS, ~_is_new_in(event_log) & ~_is_new_in(received_events) & ~_waits()
    )


def _is_new_in(events: Table) -> ColumnElement[bool]:
    return exists().where(events.c.id == inbox.c.event_id, events.c.published_at.is_(None))


def _waits() -> ColumnElement[bool]:
    return exists().where(reactions.c.event_id == inbox.c.event_id)


class Sweeper:
    """Sweeps the database of one service. Several at once do not wait for each other."""

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
        """Delete everything that is done with; how many rows that were."""
        now = self._clock.now()
        return sum([await self._sweep(_batch(expiry, now)) for expiry in self._expiries])

    async def _sweep_regularly(self) -> None:
        # Processes that start together do not sweep together, and one that does not live long sweeps sometimes too.
        wait = random.uniform(0, self._interval)  # noqa: S311  # no secret
        while True:
            await asyncio.sleep(wait)
            wait = self._interval * random.uniform(0.8, 1.2)  # noqa: S311
            try:
                swept = await self.sweep()
                logger.debug("swept", rows=swept)
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
    """Delete some of the rows whose moment has passed, leaving out those that somebody is working with."""
    key: Any = expiry.moment.table.primary_key
    is_over = expiry.moment <= now - timedelta(seconds=expiry.kept_seconds)
    some = select(*key).where(is_over, expiry.when).limit(BATCH).with_for_update(skip_locked=True, of=key.table)
    return delete(key.table).where(tuple_(*key).in_(some))
