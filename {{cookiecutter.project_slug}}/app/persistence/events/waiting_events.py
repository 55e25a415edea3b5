"""Operations for operators on events that failed at a handler: list, replay and purge."""

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
from app.persistence.event_tables import event_log, reactions, received_events
from app.persistence.events.listen_notify import Bell
from app.persistence.events.outbox_statements import LOCK, promote, writing

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """An event that failed at least once at a handler and still waits for it, or is dead."""

    handler: str
    id: UUID
    event_type: str
    source: str
    """The service that sent the event; empty for this service."""
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
        """The type and id of the event's aggregate; empty if it has none."""
        return "" if self.aggregate_id is None else f"{self.aggregate_type} {self.aggregate_id}"


async def failed_events(
    database: Database, *, dead_only: bool, limit: int, handler: str | None = None
) -> list[FailedEvent]:
    """The failed events that wait, oldest first.

    Args:
        database: holds the outbox.
        dead_only: whether to leave out events that will be retried.
        limit: the maximum number of events.
        handler: only the events that wait for this handler.
    """
    every = union_all(*(_failed(table, dead_only, handler) for table in (event_log, received_events))).subquery()
    oldest_first = select(every).order_by(every.c.occurred_at, every.c.id, every.c.handler).limit(limit)
    async with database.reading() as session:
        return [FailedEvent(**row) for row in (await session.execute(oldest_first)).mappings()]


async def replay(database: Database, ids: Collection[UUID] | None, handler: str | None = None) -> int:
    """Retry failed events now, with as many attempts as new ones. The last error stays on record until they succeed.

    Args:
        database: holds the outbox.
        ids: the events; None for all that failed and are not claimed.
        handler: only retry at this handler; None for every handler at which they failed.

    Returns:
        The number of retried reactions: an event counts once for each handler.

    Raises:
        ConflictError: if an id names no unclaimed event that failed; then nothing is changed.
    """
    r = reactions.c
    async with writing(database, LOCK) as (connection, now):
        failed = and_(_chosen(ids, handler), r.last_error.is_not(None), r.claimed_by.is_(None))
        again = update(reactions).where(failed).values(dead=False, attempts=0, due_at=now)
        found = (await connection.execute(again.returning(r.event_id))).scalars().all()
        _require_all(ids, found, "No failed event waits")
    await _wake(database)
    return len(found)


async def purge(database: Database, ids: Collection[UUID] | None, handler: str | None = None) -> int:
    """Discard dead letters: no handler gets them, and events behind them become due. They stay in the event log.

    With ids alone, new events are discarded, too, as when their class is gone; with a handler alone, all its events.

    Args:
        database: holds the outbox.
        ids: the events; None for all.
        handler: only discard for this handler; None for all handlers.

    Returns:
        The number of discarded reactions: an event counts once for each handler.

    Raises:
        ConflictError: if an id names no event that this discards; then nothing is changed.
    """
    async with writing(database, LOCK) as (connection, now):
        found = (await connection.execute(_purging(ids, handler))).all()
        given_up = [row.event_id for row in found] + await _give_up_new(connection, ids, handler)
        _require_all(ids, given_up, "No dead event waits")
        await promote(connection, {tuple(row)[1:5] for row in found}, now)
    for row in found:
        logger.warning("event_discarded", event_id=str(row.event_id), handler=row.handler, last_error=row.last_error)
    await _wake(database)
    return len(given_up)


async def dead_among(database: Database, ids: Collection[UUID] | None, handler: str | None = None) -> int:
    """How many reactions `purge` would discard; events that were not handed out are not counted."""
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


def _purging(ids: Collection[UUID] | None, handler: str | None) -> Any:
    r = reactions.c
    columns = (r.event_id, r.handler, r.source, r.aggregate_type, r.aggregate_id, r.last_error)
    return delete(reactions).where(_to_be_purged(ids, handler)).returning(*columns)


def _to_be_purged(ids: Collection[UUID] | None, handler: str | None) -> ColumnElement[bool]:
    all_of_handler = ids is None and handler is not None
    return and_(_chosen(ids, handler), true() if all_of_handler else reactions.c.dead)


def _chosen(ids: Collection[UUID] | None, handler: str | None) -> ColumnElement[bool]:
    r = reactions.c
    return and_(true() if ids is None else r.event_id.in_(ids), true() if handler is None else r.handler == handler)


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
