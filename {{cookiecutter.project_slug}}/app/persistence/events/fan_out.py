"""Fan-out: inserts a row into `reactions` for each handler of each new event."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, Table, bindparam, exists, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.column_types import UtcDateTime
from app.persistence.engine.database import Database
from app.persistence.engine.upsert import if_new
from app.persistence.event_tables import event_log, reactions, received_events
from app.persistence.events.outbox_statements import LOCK, OWN, SKIPPED, Handlers, Stream, source_of, writing

HANDED_OUT_AT_ONCE = 500
GRACE_SECONDS = 60.0
"""How long an event of another service waits for its predecessor; a redelivery comes sooner than that."""
ANY_TIME = datetime(9999, 1, 1, tzinfo=UTC)
"""For a first look, without the clock that all processes share: whatever is new may be ready."""


class FanOut:
    """Hands out new events to the handlers that they have now.

    Args:
        database: holds the outbox.
        handlers: returns the names of the handlers of each event, by source and type. It is called repeatedly, because
            handlers may be registered later. Events that it does not name are left to processes that know them.
    """

    def __init__(self, database: Database, handlers: Callable[[], Handlers]) -> None:
        self._database = database
        self._handlers_now = handlers
        self._learn(handlers())

    def _learn(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self.names = tuple(sorted({name for names in handlers.values() for name in names}))
        first = {event_log: first_of_our_own(handlers), received_events: first_of_others(handlers)}
        self._is_new = select(*(new.exists() for new in first.values()))
        self._new = {table: with_followers(table, new, handlers) for table, new in first.items()}

    async def hand_out(self) -> bool:
        """Insert a reaction for each handler of each new event. Returns whether there may be more new events."""
        if (handlers := self._handlers_now()) != self._handlers:
            self._learn(handlers)
        async with self._database.relaying_engine.connect() as connection:
            is_new = (await connection.execute(self._is_new, {"too_long_ago": ANY_TIME})).one()
        tables = [table for table, found in zip(self._new, is_new, strict=True) if found]
        return any([await self._hand_out(table, self._new[table]) for table in tables])

    async def _hand_out(self, table: Table, new: Select[*tuple[Any, ...]]) -> bool:
        """Hand out the new events of one table. Returns whether there were any: their successors may now be ready."""
        async with writing(self._database, LOCK) as (connection, now):
            since = {"too_long_ago": now - timedelta(seconds=GRACE_SECONDS)}
            found = (await connection.execute(new, since)).mappings().all()
            handlers = self._handlers_now()  # read after the events, to miss no handler registered before them
            ready = sorted(found, key=lambda event: event["version"] or 0)
            waiting = await self._streams_that_wait(connection, ready)
            rows: list[dict[str, Any]] = []
            for event in ready:
                for handler in () if event["event_type"] == SKIPPED else handlers[event["source"], event["event_type"]]:
                    stream = (handler, event["source"], event["aggregate_type"], event["aggregate_id"])
                    is_first = event["aggregate_id"] is None or stream not in waiting
                    waiting.add(stream)
                    rows.append(reaction_row(event, handler, now if is_first else None))
            if rows:
                await connection.execute(if_new(reactions, connection.dialect.name), rows)
            if ready:
                handed_out = update(table).where(table.c.id.in_([event["id"] for event in ready]))
                await connection.execute(handed_out.values(published_at=now))
        return bool(ready)

    async def _streams_that_wait(self, connection: AsyncConnection, events: Iterable[RowMapping]) -> set[Stream]:
        r = reactions.c
        aggregates = {
            (event["source"], event["aggregate_type"], event["aggregate_id"])
            for event in events
            if event["aggregate_id"] is not None
        }
        if not aggregates:
            return set()
        of_these = tuple_(r.source, r.aggregate_type, r.aggregate_id).in_(aggregates)
        streams = select(r.handler, r.source, r.aggregate_type, r.aggregate_id).where(of_these).distinct()
        return {(row[0], row[1], row[2], row[3]) for row in await connection.execute(streams)}


def first_of_our_own(handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """New events of this service that no other new event of their aggregate precedes, except those of unknown types."""
    event, earlier = event_log.c, event_log.alias("earlier").c
    has_earlier = exists().where(
        earlier.published_at.is_(None),
        earlier.aggregate_type == event.aggregate_type,
        earlier.aggregate_id == event.aggregate_id,
        earlier.version < event.version,
    )
    return _new(event_log, handlers).where(~has_earlier).order_by(event.id).limit(HANDED_OUT_AT_ONCE)


def first_of_others(handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """New events of other services that need not wait: no predecessor is stated, or it was handed out, or is late."""
    event, before = received_events.c, received_events.alias("before").c
    came = exists().where(
        before.source == event.source,
        before.aggregate_type == event.aggregate_type,
        before.aggregate_id == event.aggregate_id,
        before.version == event.previous,
        before.published_at.is_not(None),
    )
    waited = event.received_at <= bindparam("too_long_ago", type_=UtcDateTime)
    first = _new(received_events, handlers).where(or_(event.previous.is_(None), came, waited))
    return first.order_by(event.id).limit(HANDED_OUT_AT_ONCE)


def with_followers(table: Table, first: Select[*tuple[Any, ...]], handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """These events and those that directly follow them in their aggregates, whatever the order of their ids."""
    event, ready = table.c, select(first.subquery()).cte("ready", recursive=True)
    is_next = event.version == ready.c.version + 1 if table is event_log else event.previous == ready.c.version
    following = _new(table, handlers).where(
        source_of(table) == ready.c.source,
        event.aggregate_type == ready.c.aggregate_type,
        event.aggregate_id == ready.c.aggregate_id,
        is_next,
    )
    return select(ready.union(following)).limit(HANDED_OUT_AT_ONCE)


def _new(table: Table, handlers: Handlers) -> Select[*tuple[Any, ...]]:
    """The new events of a table whose types are known."""
    event, source = table.c, source_of(table)
    columns = (event.id, event.aggregate_type, event.aggregate_id, event.version, event.event_type)
    is_known: ColumnElement[bool] = event.event_type.in_([name for source, name in handlers if source == OWN])
    if table is received_events:
        is_known = or_(tuple_(event.source, event.event_type).in_(list(handlers)), event.event_type == SKIPPED)
    return select(*columns, source.label("source")).where(event.published_at.is_(None), is_known)


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
