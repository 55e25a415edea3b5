"""Units of work for tests, with memory in place of a database."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeVar
from uuid import UUID

from app.core.cqrs import (
    AggregateRoot,
    Claim,
    CommandValidationError,
    ConcurrencyError,
    ConfigurationError,
    DomainEvent,
    EventRecord,
    RaisedEvent,
    TransientError,
)
from app.core.cqrs.attempt import current_attempt
from app.core.event_payloads import payload_of

A = TypeVar("A", bound=AggregateRoot)


class MemoryUnit:
    """One transaction; its commit stores its effects in its `MemoryUnitsOfWork`."""

    def __init__(self, units: "MemoryUnitsOfWork") -> None:
        self._units = units
        self._aggregates: dict[int, AggregateRoot] = {}
        self._records: list[EventRecord] = []
        self._answers: dict[tuple[str, ...], tuple[bytes, bytes]] = {}
        self._received: list[tuple[UUID, str]] = []
        self._locks: list[asyncio.Lock] = []
        self._open = True
        self._failure: Exception | None = None

    def track(self, aggregate: AggregateRoot) -> None:
        """Store the events of this aggregate with the commit."""
        self._aggregates[id(aggregate)] = aggregate

    def doom(self, cause: Exception) -> None:
        """Refuse to commit from now on, unless the unit is rolled back to an earlier savepoint."""
        self._failure = self._failure or cause

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Discard the events raised inside if an error leaves the block; the state of objects is not restored."""
        counts = {key: aggregate.count_events() for key, aggregate in self._aggregates.items()}
        attempt, failure, answers = current_attempt(), self._failure, {**self._answers}
        published = 0 if attempt is None else len(attempt.published)
        try:
            yield
            self._require_whole()
        except BaseException:
            self._failure, self._answers = failure, answers
            for key, aggregate in self._aggregates.items():
                aggregate.drop_events(but=counts.get(key, 0))
            if attempt is not None:
                del attempt.published[published:]
            raise

    def _require_whole(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def collect_events(self) -> Sequence[RaisedEvent]:
        """The events that tracked aggregates raised since the last call."""
        self._require_whole()
        return [raised for aggregate in self._aggregates.values() for raised in aggregate.take_events()]

    async def record(self, events: Sequence[EventRecord]) -> None:
        """Write events to the event log; raises `ConcurrencyError` for a version that the stream already has."""
        taken = {record.raised[1:] for record in self._units.records if record.raised.version is not None}
        if taken & {record.raised[1:] for record in events}:
            raise ConcurrencyError("Somebody else changed this in the meantime.")
        self._units.journal.append("record " + " ".join(record.event.event_type for record in events))
        for record in events:
            payload_of(record.event)  # refuses an event that storage would change
        self._records += events

    async def claim(self, claim: Claim) -> bytes | None:
        """Claim an idempotency key; concurrent claims of it wait until this unit is closed."""
        self._units.journal.append(f"claim {claim.key}")
        lock = self._units.claims[claim[:3]]
        if lock not in self._locks:
            await lock.acquire()
            self._locks.append(lock)
        content, answer = (self._units.answers | self._answers).get(claim[:3], (claim.content, None))
        if content != claim.content:
            details = {"idempotency_key": "was used"}
            raise CommandValidationError("This idempotency key was used for another message.", details=details)
        return answer

    async def keep_answer(self, claim: Claim, answer: bytes) -> None:
        """Store the answer of a claimed key."""
        self._answers[claim[:3]] = (claim.content, answer)

    async def receive(self, event_id: UUID, handler: str) -> bool:
        """Record that a handler processed an event; False if that was recorded before."""
        self._received.append((event_id, handler))
        return not await self._units.has_received(event_id, handler)

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Entered around a nested query; without a database, changes by the query cannot be detected."""
        return nullcontext()

    async def rehearse(self) -> None:
        """Fail as the test ordered."""
        self._require_whole()
        if self._units.failures:
            raise self._units.failures.pop(0)

    async def commit(self) -> None:
        """Store everything, or fail as the test ordered."""
        await self.rehearse()
        self._units.journal.append("commit")
        self._units.records += self._records
        self._units.answers |= self._answers
        self._units.received.update(self._received)
        self._open = False

    async def rollback(self) -> None:
        """Undo everything."""
        if self._open:
            self._units.journal.append("rollback")
        self._open = False

    async def close(self) -> None:
        """Undo what was not committed, and release the claimed idempotency keys."""
        await self.rollback()
        for lock in self._locks:
            lock.release()


class MemoryUnitsOfWork:
    """Opens units of work, and stores what they commit; `journal` lists what they did, `records` is the event log."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.records: list[EventRecord] = []
        self.answers: dict[tuple[str, ...], tuple[bytes, bytes]] = {}
        self.claims: dict[tuple[str, ...], asyncio.Lock] = defaultdict(asyncio.Lock)
        self.received: set[tuple[UUID, str]] = set()
        self.failures: list[Exception] = []

    @property
    def events(self) -> list[DomainEvent]:
        """The committed events."""
        return [record.event for record in self.records]

    def fail_commits(self, times: int = 1, error: Exception | None = None) -> None:
        """Make the next `times` commits fail with `error`; None: that of a collision with another transaction."""
        self.failures += [error or TransientError("Another transaction was in the way.")] * times

    def track(self, aggregate: A) -> A:
        """Register an aggregate with the current unit of work, as a repository does.

        Raises:
            ConfigurationError: if no transaction is open.
        """
        attempt = current_attempt()
        if attempt is None or attempt.unit is None:
            raise ConfigurationError("There is no transaction here: put @transactional on the handler.")
        attempt.unit.track(aggregate)  # type: ignore[attr-defined]  # all units here are a MemoryUnit
        return aggregate

    def open(self, isolation_level: str | None) -> MemoryUnit:
        """Open a new unit of work."""
        self.journal.append(f"begin {isolation_level}" if isolation_level else "begin")
        return MemoryUnit(self)

    def check(self, isolation_level: str) -> None:
        """Accept every isolation level."""

    async def has_received(self, event_id: UUID, handler: str) -> bool:
        """Whether it was recorded that this handler processed this event."""
        return (event_id, handler) in self.received
