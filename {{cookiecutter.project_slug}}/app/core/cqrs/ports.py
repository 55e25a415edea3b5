"""The ports of the bus. A port is named by a plain noun, an adapter after its technology."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

from app.core.cqrs.events import EventRecord, RaisedEvent
from app.core.cqrs.operation import OperationMetadata

T = TypeVar("T")


class Resolver(Protocol):
    """Builds objects with their dependencies."""

    async def get(self, dependency_type: type[T], /) -> T:
        """An object of this type."""
        ...


class Scope(Resolver, Protocol):
    """A DI container: builds objects that live as long as the service, and opens a scope for each attempt."""

    def __call__(self) -> AbstractAsyncContextManager[Resolver]:
        """Open a scope; the objects that it built are closed with it."""
        ...


class Claim(NamedTuple):
    """An idempotency key, scoped to its caller and message type."""

    caller: str
    message_type: str
    key: str
    content: bytes  # tells messages with the same key apart; it may contain a password, so store an HMAC of it


class UnitOfWork(Protocol):
    """One transaction, opened lazily: all of its changes are stored, or none."""

    async def collect_events(self) -> Sequence[RaisedEvent]:
        """The events that aggregates of this unit raised since the last call; raises an error ignored before."""
        ...

    def doom(self, cause: Exception) -> None:
        """Prevent the commit, unless the unit rolls back to an earlier savepoint."""

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """A savepoint around a block: an error that leaves the block rolls back only the changes made in it."""
        ...

    async def record(self, events: Sequence[EventRecord]) -> None:
        """Write events to the event log; ConcurrencyError if another transaction stored one of the same version."""

    async def claim(self, claim: Claim) -> bytes | None:
        """Claim an idempotency key, or get its stored answer; CommandValidationError if another message used it."""
        ...

    async def keep_answer(self, claim: Claim, answer: bytes) -> None:
        """Store the answer of a claimed key, for later claims of it."""

    async def receive(self, event_id: UUID, handler: str) -> bool:
        """Record that a handler processed an event; False if it was recorded before. Waits for concurrent callers."""
        ...

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Answer a query inside: it sees the changes made so far, and gets a ConfigurationError if it makes one."""
        ...

    async def rehearse(self) -> None:
        """Do what `commit` does, except for committing, and raise what it would raise."""

    async def commit(self) -> None:
        """Commit the transaction. Raises an error that was caught and ignored in it, or the `cause` given to `doom`."""

    async def rollback(self) -> None:
        """Roll the transaction back."""

    async def close(self) -> None:
        """Return the connection in any case; uncommitted changes are rolled back."""


class UnitsOfWork(Protocol):
    """Opens units of work."""

    def open(self, isolation_level: str | None) -> UnitOfWork:
        """Open a unit of work; its level is set before its first statement. None: the database's default."""
        ...

    async def has_received(self, event_id: UUID, handler: str) -> bool:
        """Whether it was recorded that this handler processed this event."""
        ...

    def check(self, isolation_level: str) -> None:
        """Refuse an isolation level that the database does not support by a PolicyError that lists those it does."""


class CacheEntry(NamedTuple):
    """A cached value, its remaining time to live in seconds, and the cache level that held it."""

    value: bytes
    ttl_seconds: float
    level: str


class Cache(Protocol):
    """Caches values by key and tags. An unavailable cache is slow or empty; it never fails an operation."""

    async def get(self, key: str) -> CacheEntry | None:
        """The entry of this key, if there is one."""
        ...

    async def generation(self, tags: Collection[str]) -> Any:
        """The current generation of the tags, as plain data. Get it before loading a value, and pass it to `set`."""
        ...

    async def set(self, key: str, value: bytes, ttl_seconds: float, tags: Collection[str], generation: Any) -> None:
        """Store a value, unless a tag was invalidated since `generation`: then the value may be stale."""

    def loading(self, key: str, generation: Any) -> AbstractAsyncContextManager[bool]:
        """Cross-process lock around loading a key, entered by one loader per process at a time.

        Yields True after a wait for another process, whose value may be cached by now. The lock of a dead one expires.
        """
        ...

    async def invalidate(self, tags: Collection[str]) -> None:
        """Drop every entry that has one of these tags."""


@dataclass(frozen=True, slots=True)
class Grants:
    """The permissions of a user."""

    permissions: frozenset[str] = frozenset()
    is_admin: bool = False


class AccessPolicy(Protocol):
    """Looks up the permissions of users on the server."""

    async def grants_of(self, user_id: str) -> Grants | None:
        """The permissions of this user; None if there is no such active user."""
        ...


class Clock(Protocol):
    """The source of the current time, replaceable in tests."""

    def now(self) -> datetime:
        """The current time, timezone-aware, in UTC."""
        ...


class ErrorReports(Protocol):
    """Reports bugs, and events that could not be delivered, to the operators. It never blocks and never raises."""

    def report(self, error: BaseException, name: str, metadata: OperationMetadata) -> None:
        """Report an error with the name of the message or event that failed, and the metadata of its operation."""


Tracing = Callable[[Any, Any], Any]
"""Takes the plan of a handler and its compiled pipeline; returns the pipeline inside a span."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a bus; None: the bus does not have that port."""

    scope: Scope | None = None
    units: UnitsOfWork | None = None
    cache: Cache | None = None
    access: AccessPolicy | None = None
    clock: Clock | None = None
    tracing: Tracing | None = None
    reports: ErrorReports | None = None
