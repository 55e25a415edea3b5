"""For the tests of your handlers: a bus on fakes, which are adapters like the real ones, but keep everything in memory.

`MemoryBus(CreateUserHandler, given=[users])` is a bus with that handler, whose dependencies come from `given`.
Afterwards `bus.units.events` holds what was committed, `bus.units.journal` in which order things were done.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from inspect import signature
from typing import Any, TypeVar, get_type_hints
from uuid import UUID

from app.core.cqrs.aggregate import AggregateRoot, EventRecord, RaisedEvent
from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.errors import CommandValidationError, ConcurrencyError, ConfigurationError, TransientError
from app.core.cqrs.messages import DomainEvent
from app.core.cqrs.ports import CacheEntry, Claim, Grants
from app.core.cqrs.work import current_work

A = TypeVar("A", bound=AggregateRoot)
T = TypeVar("T")


class FixedClock:
    """A clock that goes only when it is told to."""

    def __init__(self, time: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.time = time

    def now(self) -> datetime:
        """The time it was set to."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.time += timedelta(seconds=seconds)


class StaticAccess:
    """Knows what each user may do from a mapping; who is not in it does not exist."""

    def __init__(self, grants: Mapping[str, Grants]) -> None:
        self.grants = dict(grants)

    async def grants_of(self, user_id: str) -> Grants | None:
        """What this user may do."""
        return self.grants.get(user_id)


class MemoryCache:
    """A cache that forgets by the given clock."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[bytes, datetime, frozenset[str]]] = {}
        self._generations: dict[str, int] = defaultdict(int)

    async def get(self, key: str) -> CacheEntry | None:
        """The entry of this key, unless its time is over."""
        value, ends, _ = self._entries.get(key, (b"", self._clock.now(), frozenset()))
        left = (ends - self._clock.now()).total_seconds()
        return CacheEntry(value, left, "memory") if left > 0 else None

    async def generation(self, tags: Collection[str]) -> Any:
        """How often each of the tags was invalidated so far."""
        return {tag: self._generations[tag] for tag in tags}

    async def set(self, key: str, value: bytes, ttl_seconds: float, tags: Collection[str], generation: Any) -> None:
        """Store a value, unless it may be stale already."""
        if generation == await self.generation(tags):
            self._entries[key] = (value, self._clock.now() + timedelta(seconds=ttl_seconds), frozenset(tags))

    async def invalidate(self, tags: Collection[str]) -> None:
        """Drop every entry that has one of these tags."""
        for tag in tags:
            self._generations[tag] += 1
        self._entries = {key: entry for key, entry in self._entries.items() if not entry[2] & set(tags)}


class MemoryUnit:
    """One transaction; what it does is kept by its `MemoryUnitsOfWork` when it is committed."""

    def __init__(self, units: "MemoryUnitsOfWork") -> None:
        self._units = units
        self._aggregates: list[AggregateRoot] = []
        self._records: list[EventRecord] = []
        self._answers: dict[tuple[str, ...], tuple[bytes, bytes]] = {}
        self._received: list[tuple[UUID, str]] = []
        self._locks: list[asyncio.Lock] = []
        self._open = True

    def track(self, aggregate: AggregateRoot) -> None:
        """Let the events of this aggregate be stored with the commit."""
        if not any(known is aggregate for known in self._aggregates):
            self._aggregates.append(aggregate)

    def collect_events(self) -> Sequence[RaisedEvent]:
        """The events that tracked aggregates raised since the last call."""
        return [raised for aggregate in self._aggregates for raised in aggregate.take_events()]

    async def record(self, events: Sequence[EventRecord]) -> None:
        """Write events to the event log, each number of an aggregate's stream once."""
        taken = {place for record in self._units.records if (place := _place(record)) is not None}
        if taken & {_place(record) for record in events}:
            raise ConcurrencyError("Somebody else changed this in the meantime.")
        self._units.journal.append("record " + " ".join(record.event.event_type for record in events))
        self._records += events

    async def claim(self, claim: Claim) -> bytes | None:
        """Claim an idempotency key; a second one who wants it waits until this unit is closed."""
        self._units.journal.append(f"claim {claim.key}")
        lock = self._units.claims[claim[:3]]
        await lock.acquire()
        self._locks.append(lock)
        content, answer = self._units.answers.get(claim[:3], (claim.content, None))
        if content != claim.content:
            raise CommandValidationError(
                "This idempotency key was used for another message.", details={"idempotency_key": "was used"}
            )
        return answer

    async def keep_answer(self, claim: Claim, answer: bytes) -> None:
        """Store the answer of a claimed key."""
        self._answers[claim[:3]] = (claim.content, answer)

    async def receive(self, event_id: UUID, handler: str) -> bool:
        """Note that a handler has had an event; False if that was noted before."""
        self._received.append((event_id, handler))
        return not await self._units.has_received(event_id, handler)

    async def commit(self) -> None:
        """Keep everything, or fail as the test ordered."""
        if self._units.failures:
            raise self._units.failures.pop(0)
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
        """Undo what was not committed, and let others claim what this unit claimed."""
        await self.rollback()
        for lock in self._locks:
            lock.release()


def _place(record: EventRecord) -> tuple[Any, ...] | None:
    return None if record.raised.version is None else record.raised[1:]


class MemoryUnitsOfWork:
    """Opens units of work, and keeps what was committed in them.

    `journal` tells in which order things were done, `records` is the event log.
    """

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.records: list[EventRecord] = []
        self.answers: dict[tuple[str, ...], tuple[bytes, bytes]] = {}
        self.claims: dict[tuple[str, ...], asyncio.Lock] = defaultdict(asyncio.Lock)
        self.received: set[tuple[UUID, str]] = set()
        self.failures: list[Exception] = []

    @property
    def events(self) -> list[DomainEvent]:
        """The events that were committed."""
        return [record.event for record in self.records]

    def fail_commits(self, times: int = 1, error: Exception | None = None) -> None:
        """Let the next commits fail: as a collision with another transaction does, or with this error."""
        self.failures += [error or TransientError("Another transaction was in the way.")] * times

    def track(self, aggregate: A) -> A:
        """What a repository does with every aggregate: let the current unit of work know it."""
        work = current_work()
        if work is None or work.unit is None:
            raise ConfigurationError("There is no transaction here: put @transactional on the handler.")
        work.unit.track(aggregate)  # type: ignore[attr-defined]  # all units here are a MemoryUnit
        return aggregate

    def open(self, isolation_level: str | None) -> MemoryUnit:
        """A new unit of work."""
        self.journal.append(f"begin {isolation_level}" if isolation_level else "begin")
        return MemoryUnit(self)

    def check(self, isolation_level: str) -> None:
        """Every level will do."""

    async def has_received(self, event_id: UUID, handler: str) -> bool:
        """Whether it was noted that this handler has had this event."""
        return (event_id, handler) in self.received


class SimpleScope:
    """A container without rules: hands out the given objects by their class, and builds others from them."""

    def __init__(self, *given: object) -> None:
        self.given = [*given]
        self.opened = 0
        self.closed = 0

    async def get(self, dependency_type: type[T], /) -> T:
        """A given object of this type, or a new one made of such."""
        for candidate in self.given:
            if isinstance(candidate, dependency_type):
                return candidate
        hints = get_type_hints(dependency_type.__init__)
        needed = [p.name for p in signature(dependency_type).parameters.values() if p.default is p.empty]
        return dependency_type(**{name: await self.get(hints[name]) for name in needed})

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator["SimpleScope"]:
        """A scope; `opened` and `closed` count them."""
        self.opened += 1
        try:
            yield self
        finally:
            self.closed += 1


class MemoryBus(CQRSBus):
    """A bus on fakes.

    Args:
        handlers: the handlers to register, with what their decorators declared.
        given: the dependencies of the handlers.
        grants: what each user may do.
        allow_handler_override: as for every bus.
    """

    def __init__(
        self,
        *handlers: type,
        given: Iterable[object] = (),
        grants: Mapping[str, Grants] | None = None,
        allow_handler_override: bool = False,
    ) -> None:
        self.clock = FixedClock()
        self.units, self.cache, self.access = MemoryUnitsOfWork(), MemoryCache(self.clock), StaticAccess(grants or {})
        self.scope = SimpleScope(self.units, self.cache, self.access, self.clock, *given)
        super().__init__(
            allow_handler_override,
            scope=self.scope,
            unit_of_work=self.units,
            cache=self.cache,
            access=self.access,
            clock=self.clock,
        )
        for handler in handlers:
            self.register(handler)
