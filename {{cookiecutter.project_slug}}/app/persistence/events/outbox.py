"""The outbox: which events wait for which handlers, which process has claimed them, and the outcome of each.

Handing out an event inserts a row into `reactions` for each of its handlers, which then proceed independently. A
handler processes the events of an aggregate in order, so only the first of them, the head of the stream, is ever due.
A process claims a due reaction with a lease, which expires unless the process renews it.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import (
    RowMapping,
    Select,
    Table,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.cqrs import ErrorReports, TransientError
from app.persistence.engine.database import Database
from app.persistence.engine.upsert import if_new
from app.persistence.events.outbox_statements import (
    CHANGE,
    END,
    LOCK,
    NO_LOCK,
    OWN,
    RECEIVED,
    SHARED_LOCK,
    Handlers,
    Stream,
    due,
    in_order,
    lease,
    logged,
    new_of_others,
    new_of_our_own,
    promote,
    reaction_row,
    writing,
)
from app.persistence.events.stored_event import StoredEvent
from app.persistence.tables import event_log, reactions, received_events

LEASE_SECONDS = 10.0
"""Duration of a lease: when a process stops renewing it, other processes may claim the event after this time."""
GRACE_SECONDS = 60.0
"""How long an event of another service waits for its predecessor; brokers redeliver sooner than that."""
LONGEST_BACKOFF_SECONDS = 300.0
LONGEST_REASON = 1000

logger = structlog.get_logger(__name__)


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

    def failure(self) -> dict[str, Any]:
        """What a line of the log says about a failed attempt, which counts already."""
        return {
            "handler": self.handler,
            "event_type": self.event.event_type,
            "event_id": str(self.event.id),
            "attempts": self.attempts + 1,
            "operation_id": self.event.metadata.get("operation_id"),
            "traceparent": self.event.metadata.get("traceparent"),
        }


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
        self._logged = logged(list(public))
        self._max_attempts = max_attempts
        self._retry_seconds = retry_seconds
        self._reports = reports

    def _learn(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self.names = sorted({name for names in handlers.values() for name in names})
        self._new = {event_log: new_of_our_own(handlers), received_events: new_of_others(handlers)}
        self._is_new = select(*(new.exists() for new in self._new.values()))
        self._due = due(self.names)
        self._lease = lease(self._due)

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
        for statement, ids in ((self._logged, wanted[True]), (RECEIVED, [*wanted[False], *wanted[True]])):
            missing = [event_id for event_id in ids if event_id not in found]
            if missing:
                for *values, previous in await connection.execute(statement, {"ids": missing}):
                    found[values[0]] = (StoredEvent(*values), previous)
        return found

    async def _store(self, connection: AsyncConnection, outcomes: Sequence[Outcome], now: datetime) -> None:
        done = [one.claimed for one in outcomes if one.is_done]
        if done:
            await connection.execute(END, [self._mine(claimed) for claimed in done])
            await promote(connection, {claimed.stream for claimed in done}, now)
        given_back = [self._mine(one.claimed) for one in outcomes if one.is_given_back]
        if given_back:
            await connection.execute(CHANGE, [{**mine, "due_at": now, "claimed_by": None} for mine in given_back])
        failed = [self._failure(one.claimed, one.error, now) for one in outcomes if one.error is not None]
        if failed:
            await connection.execute(CHANGE, failed)

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
            logger.error("event_dead", **claimed.failure(), error_type=type(error).__name__)
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
