"""Events that failed at a handler and wait, for an operator: which they are, and what can be done with them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Select, Table, and_, delete, func, or_, select, true, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.cqrs import ConflictError
from app.persistence.engine.database import Database
from app.persistence.events.listen_notify import Bell
from app.persistence.events.outbox import LOCK, promote, writing
from app.persistence.tables import event_log, reactions, received_events

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """An event that failed at least once at a handler, and waits for it."""

    handler: str
    id: UUID
    event_type: str
    source: str
    """The service that it comes from; empty: this one."""
    aggregate_type: str | None
    aggregate_id: str | None
    version: int | None
    occurred_at: datetime
    attempts: int
    due_at: datetime | None
    dead: bool
    last_error: str

    @property
    def aggregate(self) -> str:
        """Whose event it is."""
        return "" if self.aggregate_id is None else f"{self.aggregate_type} {self.aggregate_id}"


async def failed_events(
    database: Database, *, dead_only: bool, limit: int, handler: str | None = None
) -> list[FailedEvent]:
    """The events that failed and wait, the oldest first.

    Args:
        database: where they are.
        dead_only: leave out those that are tried again.
        limit: how many at most.
        handler: only those that wait for this one.
    """
    every = union_all(*(_failed(table, dead_only, handler) for table in (event_log, received_events))).subquery()
    oldest_first = select(every).order_by(every.c.occurred_at, every.c.id, every.c.handler).limit(limit)
    async with database.reading() as session:
        return [FailedEvent(**row) for row in (await session.execute(oldest_first)).mappings()]


async def replay(database: Database, ids: Collection[UUID] | None, handler: str | None = None) -> int:
    """Let events be tried again, now and as often as new ones: what went wrong stays with them until they are handled.

    Args:
        database: where they are.
        ids: which events; None: all that are dead or held back.
        handler: only by this one; None: by all that failed.

    Returns:
        How many there are, each counted for each handler.

    Raises:
        ConflictError: one of these does not wait; then nothing is changed.
    """
    r = reactions.c
    async with writing(database, LOCK) as (connection, now):
        failed = and_(_chosen(ids, handler), r.last_error.is_not(None), r.claimed_by.is_(None))
        again = update(reactions).where(failed).values(dead=False, attempts=0, due_at=now)
        found = (await connection.execute(again.returning(r.event_id))).scalars().all()
        _require_all(ids, found, "No event that failed waits")
    await _wake(database)
    return len(found)


async def purge(database: Database, ids: Collection[UUID] | None, handler: str | None = None) -> int:
    """Give events up: no handler gets them, and what waits behind them is handled.

    Those that are dead are given up, and those that no process hands out because their class is gone. With a handler
    and no ids all that waits for it is, which is meant for one that is gone. They stay in the event log.

    Args:
        database: where they are.
        ids: which events; None: all.
        handler: only for this one; None: for all.

    Returns:
        How many there were, each counted for each handler.

    Raises:
        ConflictError: one of these is not dead, or does not wait; then nothing is changed.
    """
    r = reactions.c
    async with writing(database, LOCK) as (connection, now):
        gone = delete(reactions).where(_to_be_purged(ids, handler))
        columns = (r.event_id, r.handler, r.source, r.aggregate_type, r.aggregate_id, r.last_error)
        found = (await connection.execute(gone.returning(*columns))).all()
        given_up = [row.event_id for row in found] + await _give_up_new(connection, ids, handler)
        _require_all(ids, given_up, "No dead event waits")
        streams = {tuple(row)[1:5] for row in found if row.aggregate_id is not None}
        await promote(connection, streams, now)
    for row in found:
        logger.warning("event_given_up", event_id=str(row.event_id), handler=row.handler, last_error=row.last_error)
    await _wake(database)
    return len(given_up)


async def dead_among(database: Database, ids: Collection[UUID] | None, handler: str | None = None) -> int:
    """How many of these, or of all, would be given up."""
    chosen = select(func.count()).select_from(reactions).where(_to_be_purged(ids, handler))
    async with database.reading() as session:
        return await session.scalar(chosen) or 0


async def _give_up_new(connection: AsyncConnection, ids: Collection[UUID] | None, handler: str | None) -> list[UUID]:
    if ids is None or handler is not None:
        return []
    found: list[UUID] = []
    for table in (event_log, received_events):
        new = update(table).where(table.c.published_at.is_(None), table.c.id.in_(ids))
        found += (await connection.execute(new.values(published_at=datetime.now(UTC)).returning(table.c.id))).scalars()
    return found


def _to_be_purged(ids: Collection[UUID] | None, handler: str | None) -> ColumnElement[bool]:
    all_of_handler = ids is None and handler is not None
    return and_(_chosen(ids, handler), true() if all_of_handler else reactions.c.dead)


def _chosen(ids: Collection[UUID] | None, handler: str | None) -> ColumnElement[bool]:
    r = reactions.c
    return and_(
        true() if ids is None else r.event_id.in_(ids),
        true() if handler is None else r.handler == handler,
    )


def _require_all(ids: Collection[UUID] | None, found: Collection[UUID], kind: str) -> None:
    missing = set(ids or ()) - set(found)
    if missing:
        named = ", ".join(map(str, sorted(missing)))
        raise ConflictError(f"{kind} with the id {named}: see `app outbox list`. Nothing was changed.")


async def _wake(database: Database) -> None:
    bell = Bell(database)
    bell.add(())
    await bell.idle()


def _failed(table: Table, dead_only: bool, handler: str | None) -> Select[*tuple[Any, ...]]:
    r, event = reactions.c, table.c
    columns = (
        r.handler,
        event.id,
        event.event_type,
        r.source,
        event.aggregate_type,
        event.aggregate_id,
        event.version,
        event.occurred_at,
        r.attempts,
        r.due_at,
        r.dead,
        r.last_error,
    )
    failed = r.dead if dead_only else or_(r.dead, r.last_error.is_not(None))
    return select(*columns).where(event.id == r.event_id, failed, _chosen(None, handler))
