"""Operations for operators on events that failed at a handler: list and replay."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, case, func, or_, select, true, union_all, update

from app.core.cqrs import ConflictError
from app.persistence.engine.database import Database
from app.persistence.engine.shared_clock import at_once
from app.persistence.event_tables import event_log, reactions, received_events
from app.persistence.events.batches import in_batches
from app.persistence.events.listen_notify import Bell
from app.persistence.events.orphans import has_no_class
from app.persistence.events.outbox_statements import LOCK, UNREADABLE, Kind, source_of, writing
from app.persistence.events.outbox_statistics import NEW

LONGEST_BODY = 10_000
"""Characters of an unreadable message that are shown."""


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
    body: str | None = None
    """The beginning of a message that cannot be read; None for an event."""

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


async def events_without_class(database: Database, kinds: Collection[Kind], limit: int) -> list[FailedEvent]:
    """Events that were not handed out because their source and type are not among these, oldest first.

    Args:
        database: holds the outbox.
        kinds: the source and type of all events that have a class.
        limit: the maximum number of events.
    """
    found: list[FailedEvent] = []
    async with database.reading() as session:
        for table in (event_log, received_events):
            rows = select(*_of_event(table), source_of(table).label("source")).where(has_no_class(table, kinds))
            rows = rows.order_by(table.c.occurred_at, table.c.id).limit(limit)
            found += [
                FailedEvent(NEW, **row, attempts=0, due_at=None, dead=False, last_error="No class reads it.")
                for row in (await session.execute(rows)).mappings()
            ]
    return sorted(found, key=lambda event: (event.occurred_at, event.id))[:limit]


async def replay(database: Database, ids: Collection[UUID] | None, handler: str | None = None) -> Counter[str]:
    """Retry failed events now, with as many attempts as new ones. The last error stays on record until they succeed.

    Messages that no release can read are left out. All events are retried in batches; after a failure the rest waits.

    Args:
        database: holds the outbox.
        ids: the events; None for all that failed and are not claimed.
        handler: only retry at this handler; None for every handler at which they failed.

    Returns:
        The handlers, and the number of events that are retried at each.

    Raises:
        ConflictError: if an id names no unclaimed event that failed, or an unreadable message; nothing is changed then.
    """
    r, replayed = reactions.c, Counter[str]()
    await _refuse_unreadable(database, ids, handler)
    failed = and_(chosen(ids, handler), r.last_error.is_not(None), r.claimed_by.is_(None), r.handler != UNREADABLE)
    async for batch in in_batches(database, reactions, failed, at_once=ids is not None):
        replayed.update(await _retry(database, batch, ids))
    await wake_relays(database)
    return replayed


async def _retry(database: Database, batch: ColumnElement[bool], ids: Collection[UUID] | None) -> list[str]:
    """Retry a batch of events. Returns the handler of each."""
    r = reactions.c
    async with writing(database, LOCK) as (connection, now):
        again = update(reactions).where(batch).values(dead=False, attempts=0, due_at=at_once(now))
        found = (await connection.execute(again.returning(r.event_id, r.handler))).all()
        require_all(ids, [row.event_id for row in found], "No failed event waits")
    return [row.handler for row in found]


async def _refuse_unreadable(database: Database, ids: Collection[UUID] | None, handler: str | None) -> None:
    if ids is None and handler != UNREADABLE:
        return
    unreadable = select(reactions.c.event_id).where(chosen(ids, UNREADABLE))
    async with database.relaying_engine.connect() as connection:
        found = sorted(map(str, (await connection.execute(unreadable)).scalars()))
    if found:
        raise ConflictError(
            f"No release can read {', '.join(found)}, so no retry helps: let the sender send it again, correctly, and "
            "discard it here: `app outbox purge`. Nothing was changed."
        )


def chosen(ids: Collection[UUID] | None, handler: str | None) -> ColumnElement[bool]:
    """Whether a reaction is one of these events and waits for this handler; None: any."""
    r = reactions.c
    return and_(true() if ids is None else r.event_id.in_(ids), true() if handler is None else r.handler == handler)


def require_all(ids: Collection[UUID] | None, found: Collection[UUID], kind: str) -> None:
    """Raise a `ConflictError` that begins with `kind` if not all ids were found."""
    missing = set(ids or ()) - set(found)
    if missing:
        named = ", ".join(map(str, sorted(missing)))
        raise ConflictError(f"{kind} with the id {named}: see `app outbox list`. Nothing was changed.")


async def wake_relays(database: Database) -> None:
    """Let the relays of all processes look for due events now."""
    bell = Bell(database)
    bell.add(())
    await bell.idle()


def _failed(table: Table, dead_only: bool, handler: str | None) -> Select[*tuple[Any, ...]]:
    r = reactions.c
    waits = (r.handler, r.source, r.attempts, r.due_at, r.dead, r.last_error)
    failed = r.dead if dead_only else or_(r.dead, r.last_error.is_not(None))
    columns = (*_of_event(table), *waits, _body_in(table).label("body"))
    return select(*columns).where(table.c.id == r.event_id, failed, chosen(None, handler))


def _of_event(table: Table) -> list[ColumnElement[Any]]:
    names = ("id", "event_type", "aggregate_type", "aggregate_id", "version", "occurred_at")
    return [table.c[name] for name in names]


def _body_in(table: Table) -> ColumnElement[str | None]:
    body = func.substr(table.c.payload["body"].as_string(), 1, LONGEST_BODY)
    return case((reactions.c.handler == UNREADABLE, body), else_=None)
