"""Fan-out: inserts a row into `reactions` for each handler of each new event."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, Table, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.engine.database import Database
from app.persistence.engine.shared_clock import at_once
from app.persistence.engine.upsert import if_new
from app.persistence.event_tables import event_log, reactions, received_events
from app.persistence.events.new_events import first_of_others, first_of_our_own, first_of_the_oldest, with_followers
from app.persistence.events.outbox_statements import LOCK, SKIPPED, Handlers, Stream, writing

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
        first = {
            event_log: (first_of_the_oldest(handlers), first_of_our_own(handlers)),
            received_events: (first_of_others(handlers),),
        }
        self._is_new = select(*(or_(*(new.exists() for new in each)) for each in first.values()))
        self._new = {table: [with_followers(table, new, handlers) for new in each] for table, each in first.items()}

    async def hand_out(self) -> bool:
        """Insert a reaction for each handler of each new event. Returns whether there may be more new events."""
        if (handlers := self._handlers_now()) != self._handlers:
            self._learn(handlers)
        async with self._database.relaying_engine.connect() as connection:
            is_new = (await connection.execute(self._is_new, {"too_long_ago": ANY_TIME})).one()
        tables = [table for table, found in zip(self._new, is_new, strict=True) if found]
        return any([await self._hand_out(table, self._new[table]) for table in tables])

    async def _hand_out(self, table: Table, new: Iterable[Select[*tuple[Any, ...]]]) -> bool:
        """Hand out what the first query finds that finds any. Returns whether one did: successors may now be ready."""
        async with writing(self._database, LOCK) as (connection, now):
            since = {"too_long_ago": now - timedelta(seconds=GRACE_SECONDS)}
            found: Sequence[RowMapping] = ()
            for query in new:
                found = found or (await connection.execute(query, since)).mappings().all()
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
                await connection.execute(update(table).where(_as_found(table, ready)).values(published_at=now))
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


def _as_found(table: Table, events: Iterable[RowMapping]) -> ColumnElement[bool]:
    """Whether a row is one of these events; not if it had no class when it was read and has arrived again since."""
    ids: dict[bool, list[Any]] = {True: [], False: []}
    for event in events:
        ids[event["event_type"] == SKIPPED].append(event["id"])
    skipped = table.c.id.in_(ids[True]) & (table.c.event_type == SKIPPED)
    return or_(table.c.id.in_(ids[False]), skipped) if ids[True] else table.c.id.in_(ids[False])


def reaction_row(event: RowMapping, handler: str, now: datetime | None) -> dict[str, Any]:
    """A new row of `reactions`; without a time, the event waits behind others of its aggregate."""
    copied = {name: event[name] for name in ("source", "aggregate_type", "aggregate_id", "version")}
    return {
        "event_id": event["id"],
        "handler": handler,
        **copied,
        "due_at": now and at_once(now),
        "claimed_by": None,
        "attempts": 0,
        "last_error": None,
        "dead": False,
    }
