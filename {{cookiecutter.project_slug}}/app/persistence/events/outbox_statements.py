"""The statements and transactions of the outbox, which the inbox and operators use as well."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.engine.database import Database
from app.persistence.events.stored_event import columns_of
from app.persistence.tables import UtcDateTime, event_log, reactions, received_events

HANDED_OUT_AT_ONCE = 500
_LOCK_ID = 0x6F757462
_CLOCK = func.clock_timestamp(type_=UtcDateTime)
"""Read after the lock, which may take long: PostgreSQL evaluates the columns of a SELECT from left to right."""
NO_LOCK = select(_CLOCK)
SHARED_LOCK = select(func.pg_advisory_xact_lock_shared(_LOCK_ID), _CLOCK)
"""Shared advisory lock, held until the commit; it excludes transactions with the exclusive lock below."""
LOCK = select(func.pg_advisory_xact_lock(_LOCK_ID), _CLOCK)
"""Exclusive advisory lock, held until the commit: no other transaction changes the head of a stream meanwhile."""

OWN = ""
"""The `source` of events of this service."""

Kind = tuple[str, str]
"""The source of an event and its type."""
Handlers = Mapping[Kind, Sequence[str]]
Stream = tuple[str, str, str | None, str | None]
"""A handler, a source, and an aggregate's type and id: the events of one stream are processed in order."""


@asynccontextmanager
async def writing(
    database: Database, begin: Select[*tuple[Any, ...]] = NO_LOCK
) -> AsyncIterator[tuple[AsyncConnection, datetime]]:
    """A transaction on `reactions`, and its time by the clock that all processes share: the server's on PostgreSQL.

    On SQLite `begin` is ignored: its one write lock already excludes all other writers.
    """
    async with transaction(database) as connection:
        yield connection, datetime.now(UTC) if database.is_sqlite else (await connection.execute(begin)).one()[-1]


def transaction(database: Database) -> AbstractAsyncContextManager[AsyncConnection]:
    """A transaction for event delivery, separate from units of work."""
    return (database.writing_engine if database.is_sqlite else database.relaying_engine).begin()


async def promote(connection: AsyncConnection, streams: Iterable[tuple[Any, ...]], now: datetime) -> None:
    """Make the head of each of these streams due, unless it is dead or already due."""
    first = [
        {"by": by, "of": of, "type": kind, "aggregate": one, "now": now}
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
    return update(reactions).where(waits).values(due_at=bindparam("now", type_=UtcDateTime))


_PROMOTE = _promotion()


def due(handlers: Sequence[str]) -> Any:
    """The due reactions, up to a limit for each handler; rows locked by other transactions are skipped."""
    r = reactions.c

    def due_for(number: int, handler: str) -> Select[*tuple[Any, ...]]:
        due = select(r.event_id, r.handler).where(r.handler == handler, r.due_at <= bindparam("now", type_=UtcDateTime))
        first = due.order_by(r.due_at, r.event_id).limit(bindparam(f"free_{number}"))
        return select(first.with_for_update(skip_locked=True).subquery())

    selects = [due_for(number, handler) for number, handler in enumerate(handlers)]
    return union_all(*selects) if selects else select(r.event_id, r.handler).where(literal(False))


def lease(due: Any) -> Any:
    """Claim the due reactions for a process."""
    r = reactions.c
    lease = update(reactions).where(tuple_(r.event_id, r.handler).in_(select(due.cte("due"))))
    lease = lease.values(claimed_by=bindparam("by"), due_at=bindparam("until"))
    return lease.returning(r.event_id, r.handler, r.source, r.attempts)


def new_of_our_own(handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """New events of this service, except those behind an earlier version with a higher id or of an unknown type."""
    known = [name for source, name in handlers if source == OWN]
    event, earlier = event_log.c, event_log.alias("earlier").c
    comes_later = exists().where(
        earlier.published_at.is_(None),
        earlier.aggregate_type == event.aggregate_type,
        earlier.aggregate_id == event.aggregate_id,
        earlier.version < event.version,
        or_(earlier.id > event.id, earlier.event_type.not_in(known)),
    )
    columns = (event.id, event.aggregate_type, event.aggregate_id, event.version, event.event_type)
    new = select(
        *columns, literal(OWN).label("source"), literal(True).label("is_next"), literal(None).label("previous")
    )
    new = new.where(event.published_at.is_(None), event.event_type.in_(known), ~comes_later)
    return new.order_by(event.id).limit(HANDED_OUT_AT_ONCE)


def new_of_others(handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """New events of other services. `is_next`: no predecessor is known, or it was handed out, or its time is over."""
    event, before = received_events.c, received_events.alias("before").c
    came = exists().where(
        before.source == event.source,
        before.aggregate_type == event.aggregate_type,
        before.aggregate_id == event.aggregate_id,
        before.version == event.previous,
        before.published_at.is_not(None),
    )
    waited = event.received_at <= bindparam("too_long_ago", type_=UtcDateTime)
    columns = (event.id, event.aggregate_type, event.aggregate_id, event.version, event.event_type, event.source)
    new = select(*columns, or_(event.previous.is_(None), came, waited).label("is_next"), event.previous)
    known = tuple_(event.source, event.event_type).in_(list(handlers))
    return new.where(event.published_at.is_(None), known).order_by(event.id).limit(HANDED_OUT_AT_ONCE)


def in_order(found: Sequence[RowMapping]) -> list[RowMapping]:
    """The new events that may be handed out now, in order for each aggregate."""
    ready: list[RowMapping] = []
    going: set[tuple[Any, ...]] = set()
    for event in sorted(found, key=lambda one: one["version"] or 0):
        aggregate = (event["source"], event["aggregate_type"], event["aggregate_id"])
        if event["is_next"] or (*aggregate, event["previous"]) in going:
            going.add((*aggregate, event["version"]))
            ready.append(event)
    return ready


def reaction_row(event: RowMapping, handler: str, due_at: datetime | None) -> dict[str, Any]:
    copied = {name: event[name] for name in ("source", "aggregate_type", "aggregate_id", "version")}
    return {
        "event_id": event["id"],
        "handler": handler,
        **copied,
        "due_at": due_at,
        "claimed_by": None,
        "attempts": 0,
        "last_error": None,
        "dead": False,
    }


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
