"""Fan-out: inserts a row into `reactions` for each handler of each new event."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, Table, bindparam, exists, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.column_types import UtcDateTime
from app.persistence.engine.database import Database
from app.persistence.engine.upsert import if_new
from app.persistence.event_tables import event_log, reactions, received_events
from app.persistence.events.outbox_statements import LOCK, OWN, Handlers, Stream, writing

HANDED_OUT_AT_ONCE = 500
GRACE_SECONDS = 60.0
"""How long an event of another service waits for its predecessor; a redelivery comes sooner than that."""


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
        self._new = {event_log: new_of_our_own(handlers), received_events: new_of_others(handlers)}
        self._is_new = select(*(new.exists() for new in self._new.values()))

    async def hand_out(self) -> bool:
        """Insert a reaction for each handler of each new event. Returns whether there may be more new events."""
        if (handlers := self._handlers_now()) != self._handlers:
            self._learn(handlers)
        async with self._database.relaying_engine.connect() as connection:
            is_new = (await connection.execute(self._is_new, {"too_long_ago": datetime.now(UTC)})).one()
        tables = [table for table, found in zip(self._new, is_new, strict=True) if found]
        return any([await self._hand_out(table, self._new[table]) for table in tables])

    async def _hand_out(self, table: Table, new: Select[*tuple[Any, ...]]) -> bool:
        """Hand out the new events of one table. Returns whether there were any: their successors may now be ready."""
        async with writing(self._database, LOCK) as (connection, now):
            since = {"too_long_ago": now - timedelta(seconds=GRACE_SECONDS)}
            found = (await connection.execute(new, since)).mappings().all()
            handlers = self._handlers_now()  # read after the events, to miss no handler registered before them
            ready = in_order(found)
            waiting = await self._streams_that_wait(connection, ready)
            rows: list[dict[str, Any]] = []
            for event in ready:
                for handler in handlers[event["source"], event["event_type"]]:
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
