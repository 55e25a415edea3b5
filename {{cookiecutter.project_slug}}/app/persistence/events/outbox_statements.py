"""The statements and transactions of the outbox, which the inbox and operators use as well."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.column_types import UtcDateTime
from app.persistence.engine.database import Database
from app.persistence.engine.shared_clock import READ_CLOCK, SERVER_CLOCK, at_once, shared_time
from app.persistence.event_tables import event_log, reactions, received_events
from app.persistence.events.stored_event import StoredEvent, columns_of

_LOCK_ID = 0x6F757462
NO_LOCK = READ_CLOCK
SHARED_LOCK = select(func.pg_advisory_xact_lock_shared(_LOCK_ID), SERVER_CLOCK)
"""Shared advisory lock, held until the commit; it excludes transactions with the exclusive lock below.

The clock is read after the lock, which may take long: PostgreSQL evaluates the columns of a SELECT from left to right.
"""
LOCK = select(func.pg_advisory_xact_lock(_LOCK_ID), SERVER_CLOCK)
"""Exclusive advisory lock, held until the commit: no other transaction changes the head of a stream meanwhile."""

OWN = ""
"""The `source` of events of this service."""

BROKER = "(broker)"
"""In place of a handler's name: the event is sent to other services."""

SKIPPED = "(skipped)"
"""In place of a type: an event that no class names. Without handlers, it only lets its successors be handed out."""
UNREADABLE = "(unreadable)"
"""In place of a handler's name: a message that no handler can process."""

Kind = tuple[str, str]
"""The source of an event and its type."""
Handlers = Mapping[Kind, Sequence[str]]
Stream = tuple[str, str, str | None, str | None]
"""A handler, a source, and an aggregate's type and id: the events of one stream are processed in order."""


@asynccontextmanager
async def writing(
    database: Database, begin: Select[*tuple[Any, ...]] = NO_LOCK
) -> AsyncIterator[tuple[AsyncConnection, datetime]]:
    """A transaction on `reactions`, and its time by the clock that all processes share.

    On SQLite `begin` is ignored: its one write lock already excludes all other writers.
    """
    engine = database.writing_engine if database.is_sqlite else database.relaying_engine
    async with engine.begin() as connection:
        yield connection, await shared_time(connection, partial(datetime.now, UTC), begin)


def source_of(table: Table) -> ColumnElement[str]:
    """The source of an event in this table."""
    return literal(OWN) if table is event_log else table.c.source


async def promote(connection: AsyncConnection, streams: Iterable[tuple[Any, ...]], now: datetime) -> None:
    """Make the head of each of these streams due, unless it is dead or already due."""
    first = [
        {"by": by, "of": of, "type": kind, "aggregate": one, "since": at_once(now)}
        for by, of, kind, one in streams
        if one is not None
    ]
    if first:
        await connection.execute(_PROMOTE, first)


_IS_MINE = and_(
    reactions.c.event_id == bindparam("id"),
    reactions.c.handler == bindparam("by"),
    reactions.c.claimed_by == bindparam("me"),
)
END, CHANGE = delete(reactions).where(_IS_MINE), update(reactions).where(_IS_MINE)


def _promotion() -> Any:
    r, all_of_it = reactions.c, reactions.alias("stream")

    def of_stream(row: Any) -> ColumnElement[bool]:
        return and_(
            row.handler == bindparam("by"),
            row.source == bindparam("of"),
            row.aggregate_type == bindparam("type"),
            row.aggregate_id == bindparam("aggregate"),
        )

    lowest = select(func.min(all_of_it.c.version)).where(of_stream(all_of_it.c)).scalar_subquery()
    waits = and_(of_stream(r), r.due_at.is_(None), ~r.dead, r.version == lowest)
    return update(reactions).where(waits).values(due_at=bindparam("since", type_=UtcDateTime))


_PROMOTE = _promotion()


@lru_cache(maxsize=100)
def due(handlers: tuple[str, ...]) -> Any:
    """The due reactions, up to a limit for each handler; rows locked by other transactions are skipped."""
    r = reactions.c

    def due_for(number: int, handler: str) -> Select[*tuple[Any, ...]]:
        due = select(r.event_id, r.handler).where(r.handler == handler, r.due_at <= bindparam("now", type_=UtcDateTime))
        first = due.order_by(r.due_at, r.event_id).limit(bindparam(f"free_{number}"))
        return select(first.with_for_update(skip_locked=True).subquery())

    selects = [due_for(number, handler) for number, handler in enumerate(handlers)]
    return union_all(*selects) if selects else select(r.event_id, r.handler).where(literal(False))


@lru_cache(maxsize=100)
def lease(handlers: tuple[str, ...]) -> Any:
    """Claim the due reactions for a process."""
    r = reactions.c
    lease = update(reactions).where(tuple_(r.event_id, r.handler).in_(select(due(handlers).cte("due"))))
    lease = lease.values(claimed_by=bindparam("by"), due_at=bindparam("until"))
    return lease.returning(r.event_id, r.handler, r.source, r.attempts)


def logged(public: Sequence[str]) -> Select[*tuple[Any, ...]]:
    """Events of the log by id, each with the version of the aggregate's previous public event."""
    event, before = event_log.c, event_log.alias("before").c
    previous = select(func.max(before.version)).where(
        before.aggregate_type == event.aggregate_type,
        before.aggregate_id == event.aggregate_id,
        before.version < event.version,
        before.event_type.in_(public),
    )
    return select(*columns_of(event_log), previous.scalar_subquery()).where(_is_wanted(event.id))


def _is_wanted(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.in_(bindparam("ids", expanding=True))


RECEIVED = select(*columns_of(received_events), received_events.c.previous).where(_is_wanted(received_events.c.id))


async def events_of(
    connection: AsyncConnection, claimed: Iterable[Any], logged: Select[*tuple[Any, ...]]
) -> dict[UUID, tuple[StoredEvent, int | None]]:
    """The events of claimed reactions: id -> event, and the version of the aggregate's previous public event."""
    wanted: dict[bool, list[UUID]] = {True: [], False: []}
    for event_id, _, source, _ in claimed:
        wanted[source == OWN].append(event_id)
    found: dict[UUID, tuple[StoredEvent, int | None]] = {}
    # An event without a source may also have been received by a release that did not store sources.
    for statement, ids in ((logged, wanted[True]), (RECEIVED, [*wanted[False], *wanted[True]])):
        missing = [event_id for event_id in ids if event_id not in found]
        if missing:
            for *values, previous in await connection.execute(statement, {"ids": missing}):
                found[values[0]] = (StoredEvent(*values), previous)
    return found
