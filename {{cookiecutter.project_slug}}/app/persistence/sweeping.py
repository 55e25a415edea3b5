"""Deletes expired rows, or empties them, in the background and in small batches."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Column, ColumnElement, Delete, Table, Update, delete, exists, select, true, tuple_, update

from app.core.config import Settings
from app.core.cqrs import Clock, CQRSError
from app.persistence.engine.database import Database
from app.persistence.engine.shared_clock import shared_time
from app.persistence.event_tables import event_log, inbox, reactions, received_events
from app.persistence.events.batches import in_batches
from app.persistence.events.outbox_statements import SKIPPED
from app.persistence.tables import idempotency_keys, login_sessions

RECEIVED_SECONDS = 30 * 24 * 3600
"""30 days: no message is redelivered after that."""

PLACE_IN_ORDER = {"event_type": SKIPPED, "payload": {}, "metadata": {}}
"""What an emptied event holds beside its place in the order of its aggregate, like an event that no class names."""

logger = structlog.get_logger(__name__)


class Expiry(NamedTuple):
    """The condition on which rows of a table are deleted, or emptied."""

    moment: Column[datetime]
    kept_seconds: float
    """How long rows are kept after that moment."""
    when: ColumnElement[bool] = true()
    """A further condition."""
    emptied: Mapping[str, Any] | None = None
    """The values that overwrite those of a row; None: it is deleted."""


def expiries(settings: Settings) -> Iterator[Expiry]:
    """The rows that are swept.

    Refresh tokens are deleted with their login, and old ones by its next refresh, so that the reuse of one is detected.
    An inbox row is kept for as long as its event may be delivered again, and the last event of another service's
    aggregate until the next one was handed out, which may name it as its predecessor a year later. Only its place in
    the order is kept so long: its data may be personal.
    """
    yield Expiry(idempotency_keys.c.claimed_at, settings.idempotency_key_seconds)
    yield Expiry(login_sessions.c.expires_at, 0)
    yield Expiry(login_sessions.c.revoked_at, 0)
    event, waits = received_events.c, exists().where(reactions.c.event_id == received_events.c.id)
    # Apart from each other: with an OR, PostgreSQL looks for a later event once for each row.
    yield Expiry(event.published_at, RECEIVED_SECONDS, ~waits & event.aggregate_id.is_(None))
    yield Expiry(event.published_at, RECEIVED_SECONDS, ~waits & _is_followed())
    yield Expiry(event.published_at, RECEIVED_SECONDS, ~waits & (event.event_type != SKIPPED), PLACE_IN_ORDER)
    yield Expiry(
        inbox.c.received_at,
        RECEIVED_SECONDS,
        ~_is_new_in(event_log)
        & ~_is_new_in(received_events)
        & ~exists().where(reactions.c.event_id == inbox.c.event_id),
    )


def _is_followed() -> ColumnElement[bool]:
    """Whether a later event of the aggregate of a received event was handed out."""
    event, later = received_events.c, received_events.alias("later").c
    return exists().where(
        later.source == event.source,
        later.aggregate_type == event.aggregate_type,
        later.aggregate_id == event.aggregate_id,
        later.version > event.version,
        later.published_at.is_not(None),
    )


def _is_new_in(events: Table) -> ColumnElement[bool]:
    return exists().where(events.c.id == inbox.c.event_id, events.c.published_at.is_(None))


class Sweeper:
    """Deletes or empties expired rows of one service. Concurrent sweepers do not wait for each other."""

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
        """Delete or empty all expired rows. Returns their number."""
        async with self._database.relaying_engine.connect() as connection:
            now = await shared_time(connection, self._clock.now)
        now = min(now, self._clock.now())  # whichever clock is ahead, no row is deleted too early
        return sum([await self._sweep(expiry, now) for expiry in self._expiries])

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

    async def _sweep(self, expiry: Expiry, now: datetime) -> int:
        swept, table = 0, expiry.moment.table
        is_over = (expiry.moment <= now - timedelta(seconds=expiry.kept_seconds)) & expiry.when
        async for batch in in_batches(self._database, table, is_over):
            async with self._database.writing_engine.begin() as connection:
                swept += (await connection.execute(_change(table, batch, expiry.emptied))).rowcount
        return swept


def _change(table: Table, batch: ColumnElement[bool], emptied: Mapping[str, Any] | None) -> Delete | Update:
    """Delete or empty rows of a table; those locked by other transactions are skipped."""
    some: Any = select(*table.primary_key).where(batch)
    chosen = tuple_(*table.primary_key).in_(some.with_for_update(skip_locked=True, of=table))
    return delete(table).where(chosen) if emptied is None else update(table).where(chosen).values(emptied)
