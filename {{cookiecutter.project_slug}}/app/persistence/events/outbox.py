"""The outbox: which events wait for which handlers, which process has claimed them, and the outcome of each.

Handing out an event inserts a row into `reactions` for each of its handlers, which then proceed independently. A
handler processes the events of an aggregate in order, so only the first of them, the head of the stream, is ever due.
A process claims a due reaction with a lease, which expires unless the process renews it.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    Table,
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

from app.core.cqrs import ErrorReports, TransientError
from app.persistence.engine.database import Database
from app.persistence.engine.upsert import if_new
from app.persistence.events.stored_event import StoredEvent, columns_of
from app.persistence.tables import UtcDateTime, event_log, reactions, received_events

HANDED_OUT_AT_ONCE = 500
LEASE_SECONDS = 10.0
"""Duration of a lease: when a process stops renewing it, other processes may claim the event after this time."""
GRACE_SECONDS = 60.0
"""How long an event of another service waits for its predecessor; brokers redeliver sooner than that."""
LONGEST_BACKOFF_SECONDS = 300.0
LONGEST_REASON = 1000
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

logger = structlog.get_logger(__name__)

Kind = tuple[str, str]
"""The source of an event and its type."""
Handlers = Mapping[Kind, Sequence[str]]
Stream = tuple[str, str, str | None, str | None]
"""A handler, a source, and an aggregate's type and id: the events of one stream are processed in order."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event that this process has claimed for a handler."""

    event: StoredEvent
    source: str
    handler: str
    attempts: int
    """How often the handler has failed so far."""
    previous: int | None
    """The version of the aggregate's previous public event."""

    @property
    def stream(self) -> Stream:
        """The stream whose head this event is."""
        return self.handler, self.source, self.event.aggregate_type, self.event.aggregate_id


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a delivery: done, failed, or given back as if the event had never been claimed."""

    claimed: Claimed
    error: Exception | None = None
    is_given_back: bool = False

    @property
    def is_done(self) -> bool:
        """Whether the handler processed the event."""
        return self.error is None and not self.is_given_back


class Outbox:
    """The outbox of one service, as one process uses it.

    Args:
        database: holds the outbox.
        handlers: returns the names of the handlers of each event, by source and type. It is called repeatedly, because
            handlers may be registered later. Events that it does not name are left to processes that know them.
        public: the types of the events that are published to other services.
        max_attempts: after so many failures an event is a dead letter for the handler, and waits for an operator. It
            is retried nevertheless while the last error is transient, such as an outage.
        retry_seconds: backoff after the first failure; doubled after each further one, up to 5 minutes.
        reports: receives the errors of dead letters.
    """

    def __init__(
        self,
        database: Database,
        handlers: Callable[[], Handlers],
        *,
        public: Iterable[str] = (),
        max_attempts: int,
        retry_seconds: float,
        reports: ErrorReports | None = None,
    ) -> None:
        self._database = database
        self._handlers_now = handlers
        self._worker = uuid4().hex
        self._learn(handlers())
        self._logged = _logged(list(public))
        self._max_attempts = max_attempts
        self._retry_seconds = retry_seconds
        self._reports = reports

    def _learn(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self.names = sorted({name for names in handlers.values() for name in names})
        self._new = {event_log: _new_of_our_own(handlers), received_events: _new_of_others(handlers)}
        self._is_new = select(*(new.exists() for new in self._new.values()))
        self._due = _due(self.names)
        self._lease = _lease(self._due)

    async def hand_out(self) -> bool:
        """Insert a reaction for each handler of each new event. Returns whether there may be more new events."""
        if (handlers := self._handlers_now()) != self._handlers:
            self._learn(handlers)
        async with self._reading() as connection:
            is_new = (await connection.execute(self._is_new, {"too_long_ago": datetime.now(UTC)})).one()
        tables = [table for table, found in zip(self._new, is_new, strict=True) if found]
        return any([await self._hand_out(table, self._new[table]) for table in tables])

    async def _hand_out(self, table: Table, new: Select[*tuple[Any, ...]]) -> bool:
        """Hand out the new events of one table. Returns whether there were any: their successors may now be ready."""
        async with writing(self._database, LOCK) as (connection, now):
            since = {"too_long_ago": now - timedelta(seconds=GRACE_SECONDS)}
            found = (await connection.execute(new, since)).mappings().all()
            handlers = self._handlers_now()  # read after the events, to miss no handler registered before them
            ready = _in_order(found)
            waiting = await self._streams_that_wait(connection, ready)
            rows: list[dict[str, Any]] = []
            for event in ready:
                for handler in handlers[event["source"], event["event_type"]]:
                    stream = (handler, event["source"], event["aggregate_type"], event["aggregate_id"])
                    is_first = event["aggregate_id"] is None or stream not in waiting
                    waiting.add(stream)
                    rows.append(_row(event, handler, now if is_first else None))
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

    async def turn(self, outcomes: Sequence[Outcome], free: Mapping[str, int]) -> list[Claimed]:
        """Store outcomes and claim due events, in one transaction.

        Args:
            outcomes: the outcomes of claimed events.
            free: handler -> how many more events to claim for it.

        Returns:
            The claimed events: no other process gets them until the lease expires.
        """
        if not outcomes and not await self._may_claim(free):
            return []
        begin = SHARED_LOCK if any(outcome.is_done for outcome in outcomes) else NO_LOCK
        async with writing(self._database, begin) as (connection, now):
            await self._store(connection, outcomes, now)
            claimed = await self._claim(connection, free, now)
        self._tell_dead(outcomes)
        return claimed

    async def renew(self) -> None:
        """Renew the leases of all events that this process has claimed."""
        async with writing(self._database) as (connection, now):
            until = now + timedelta(seconds=LEASE_SECONDS)
            await connection.execute(
                update(reactions).where(reactions.c.claimed_by == self._worker).values(due_at=until)
            )

    async def give_back(self) -> None:
        """Release all claims of this process, so that other processes may claim the events at once."""
        async with writing(self._database) as (connection, now):
            mine = update(reactions).where(reactions.c.claimed_by == self._worker)
            await connection.execute(mine.values(due_at=now, claimed_by=None))

    async def without_handlers(self) -> dict[str, int]:
        """Handlers that this process does not have -> how many events wait for them."""
        r = reactions.c
        rest = select(r.handler, func.count()).where(r.handler.not_in(self.names)).group_by(r.handler)
        async with self._reading() as connection:
            return {row[0]: row[1] for row in await connection.execute(rest)}

    # Internals

    async def _claim(self, connection: AsyncConnection, free: Mapping[str, int], now: datetime) -> list[Claimed]:
        until = now + timedelta(seconds=LEASE_SECONDS)
        told = {"now": now, "by": self._worker, "until": until, **self._limits(free)}
        rows = (await connection.execute(self._lease, told)).all()
        if not rows:
            return []
        events = await self._events(connection, rows)
        # In the order in which the events happened, as far as their ids are ordered by time (UUIDv7).
        return [
            Claimed(event, row.source, row.handler, row.attempts, previous)
            for row in sorted(rows, key=itemgetter(0))
            for event, previous in [events[row.event_id]]
        ]

    async def _events(
        self, connection: AsyncConnection, rows: Iterable[Any]
    ) -> dict[UUID, tuple[StoredEvent, int | None]]:
        wanted: dict[bool, list[UUID]] = {True: [], False: []}
        for event_id, _, source, _ in rows:
            wanted[source == OWN].append(event_id)
        found: dict[UUID, tuple[StoredEvent, int | None]] = {}
        # An event without a source may also have been received by a release that did not store sources.
        for statement, ids in ((self._logged, wanted[True]), (_RECEIVED, [*wanted[False], *wanted[True]])):
            missing = [event_id for event_id in ids if event_id not in found]
            if missing:
                for *values, previous in await connection.execute(statement, {"ids": missing}):
                    found[values[0]] = (StoredEvent(*values), previous)
        return found

    async def _store(self, connection: AsyncConnection, outcomes: Sequence[Outcome], now: datetime) -> None:
        done = [one.claimed for one in outcomes if one.is_done]
        if done:
            await connection.execute(_END, [self._mine(claimed) for claimed in done])
            await promote(connection, {claimed.stream for claimed in done}, now)
        given_back = [self._mine(one.claimed) for one in outcomes if one.is_given_back]
        if given_back:
            await connection.execute(_CHANGE, [{**mine, "due_at": now, "claimed_by": None} for mine in given_back])
        failed = [self._failure(one.claimed, one.error, now) for one in outcomes if one.error is not None]
        if failed:
            await connection.execute(_CHANGE, failed)

    def _mine(self, claimed: Claimed) -> dict[str, Any]:
        """Parameters that select the claimed row, provided that this process still holds the claim."""
        return {"id": claimed.event.id, "by": claimed.handler, "me": self._worker}

    def _failure(self, claimed: Claimed, error: Exception, now: datetime) -> dict[str, Any]:
        attempts, dead = claimed.attempts + 1, self._is_dead(claimed, error)
        return {
            **self._mine(claimed),
            "attempts": attempts,
            "last_error": reason(error),
            "due_at": None if dead else now + timedelta(seconds=self._wait(attempts)),
            "dead": dead,
            "claimed_by": None,
        }

    def _is_dead(self, claimed: Claimed, error: Exception) -> bool:
        return claimed.attempts + 1 >= self._max_attempts and not _may_pass(error)

    def _tell_dead(self, outcomes: Iterable[Outcome]) -> None:
        """Log and report new dead letters: they wait for an operator, who has to learn of them."""
        for outcome in outcomes:
            claimed, error = outcome.claimed, outcome.error
            if error is None or not self._is_dead(claimed, error):
                continue
            logger.error(
                "event_dead",
                handler=claimed.handler,
                event_type=claimed.event.event_type,
                event_id=str(claimed.event.id),
                attempts=claimed.attempts + 1,
                operation_id=claimed.event.metadata.get("operation_id"),
                traceparent=claimed.event.metadata.get("traceparent"),
                error_type=type(error).__name__,
            )
            if self._reports is not None:
                self._reports.report(error, claimed.event.event_type, claimed.event.operation())

    def _wait(self, attempts: int) -> float:
        """Backoff with jitter (from half of it to all), so that events that failed together are retried apart."""
        longest = min(self._retry_seconds * 2.0 ** min(attempts - 1, 30), LONGEST_BACKOFF_SECONDS)
        return random.uniform(longest / 2, longest)  # noqa: S311  # no secret

    def _limits(self, free: Mapping[str, int]) -> dict[str, int]:
        return {f"free_{number}": max(0, free.get(name, 0)) for number, name in enumerate(self.names)}

    async def _may_claim(self, free: Mapping[str, int]) -> bool:
        """Whether to begin a writing transaction: on SQLite, which has one writer, only if an event is due."""
        limits = self._limits(free)
        if not self._database.is_sqlite or not any(limits.values()):
            return any(limits.values())
        async with self._reading() as connection:
            return (await connection.execute(self._due, {"now": datetime.now(UTC), **limits})).first() is not None

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.relaying_engine.connect() as connection:
            yield connection


@asynccontextmanager
async def writing(database: Database, begin: Select[Any] = NO_LOCK) -> AsyncIterator[tuple[AsyncConnection, datetime]]:
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
_END, _CHANGE = delete(reactions).where(_IS_MINE), update(reactions).where(_IS_MINE)


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


def _due(handlers: Sequence[str]) -> Any:
    """The due reactions, up to a limit for each handler; rows locked by other transactions are skipped."""
    r = reactions.c

    def due_for(number: int, handler: str) -> Select[*tuple[Any, ...]]:
        due = select(r.event_id, r.handler).where(r.handler == handler, r.due_at <= bindparam("now", type_=UtcDateTime))
        first = due.order_by(r.due_at, r.event_id).limit(bindparam(f"free_{number}"))
        return select(first.with_for_update(skip_locked=True).subquery())

    selects = [due_for(number, handler) for number, handler in enumerate(handlers)]
    return union_all(*selects) if selects else select(r.event_id, r.handler).where(literal(False))


def _lease(due: Any) -> Any:
    """Claim the due reactions for a process."""
    r = reactions.c
    lease = update(reactions).where(tuple_(r.event_id, r.handler).in_(select(due.cte("due"))))
    lease = lease.values(claimed_by=bindparam("by"), due_at=bindparam("until"))
    return lease.returning(r.event_id, r.handler, r.source, r.attempts)


def _new_of_our_own(handlers: Handlers) -> Select[*tuple[Any, ...]]:
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


def _new_of_others(handlers: Handlers) -> Select[*tuple[Any, ...]]:
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


def _in_order(found: Sequence[RowMapping]) -> list[RowMapping]:
    """The new events that may be handed out now, in order for each aggregate."""
    ready: list[RowMapping] = []
    going: set[tuple[Any, ...]] = set()
    for event in sorted(found, key=lambda one: one["version"] or 0):
        aggregate = (event["source"], event["aggregate_type"], event["aggregate_id"])
        if event["is_next"] or (*aggregate, event["previous"]) in going:
            going.add((*aggregate, event["version"]))
            ready.append(event)
    return ready


def _row(event: RowMapping, handler: str, due_at: datetime | None) -> dict[str, Any]:
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


def _logged(public: Sequence[str]) -> Select[*tuple[Any, ...]]:
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


_RECEIVED = select(*columns_of(received_events), received_events.c.previous).where(_is_wanted(received_events.c.id))


def _may_pass(error: BaseException) -> bool:
    """Whether the error, or every error of a group, is transient, so that it may go away by itself."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_may_pass, error.exceptions))
    return isinstance(error, TransientError)


def reason(error: BaseException) -> str:
    """The reason of a failed delivery, as text for an operator."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(reason, error.exceptions))[:LONGEST_REASON]
    try:
        text = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
    except Exception:
        text = f"{type(error).__name__}, which cannot be printed"
    return text.encode(errors="replace").decode().replace("\x00", "?")  # databases reject these characters
