"""What the bus needs from outside. Each port is a plain noun; adapters say what they are made of."""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

from app.core.cqrs.aggregate import EventRecord, RaisedEvent
from app.core.cqrs.metadata import OperationMetadata

T = TypeVar("T")


class Resolver(Protocol):
    """Builds objects with their dependencies."""

    async def get(self, dependency_type: type[T], /) -> T:
        """An object of this type."""
        ...


class Scope(Resolver, Protocol):
    """A container: builds what lives as long as the service, and opens a scope for each attempt of an operation."""

    def __call__(self) -> AbstractAsyncContextManager[Resolver]:
        """A new scope; what it built is closed with it."""
        ...


class Claim(NamedTuple):
    """An idempotency key as its owner uses it.

    `content` tells one message from another under the same key. It may hold a password: store an HMAC of it.
    `former` is what earlier releases put in place of `message_type`: keys that were claimed by it are claimed.
    """

    caller: str
    message_type: str
    key: str
    content: bytes
    former: str = ""


class UnitOfWork(Protocol):
    """One transaction, opened lazily. Everything done in it is stored, or nothing is."""

    async def collect_events(self) -> Sequence[RaisedEvent]:
        """The events that aggregates of this unit raised since the last call.

        Raises:
            Exception: what failed in this unit and was passed over.
        """
        ...

    def doom(self, cause: Exception) -> None:
        """Let nothing be committed any more, unless the unit goes back to a savepoint that was made before."""

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Undo what is done inside, and nothing else, where an error leaves it."""
        ...

    async def record(self, events: Sequence[EventRecord]) -> None:
        """Write events to the event log.

        Raises:
            ConcurrencyError: somebody else stored an event of the same aggregate and version.
        """

    async def claim(self, claim: Claim) -> bytes | None:
        """Claim an idempotency key; the answer stored under it, if it was claimed before.

        Raises:
            CommandValidationError: the key was used for another message.
        """
        ...

    async def keep_answer(self, claim: Claim, answer: bytes) -> None:
        """Store the answer of a claimed key, for later claims of it."""

    async def receive(self, event_id: UUID, handler: str) -> bool:
        """Note that a handler has had an event; False if that was noted before. A second one who asks waits."""
        ...

    def reading(self) -> AbstractAsyncContextManager[None]:
        """A query is answered meanwhile: it sees what was done so far, and does nothing itself.

        Raises:
            ConfigurationError: it changed something.
        """
        ...

    async def commit(self) -> None:
        """Make everything permanent.

        Raises:
            Exception: what failed in this unit and was passed over: a statement, or what `doom` was told.
        """

    async def rollback(self) -> None:
        """Undo everything."""

    async def close(self) -> None:
        """Give the connection back, whatever happened; undo what was not committed."""


class UnitsOfWork(Protocol):
    """Opens units of work."""

    def open(self, isolation_level: str | None) -> UnitOfWork:
        """A new unit of work; the level is in force before its first statement. None: the database's default."""
        ...

    async def has_received(self, event_id: UUID, handler: str) -> bool:
        """Whether it was noted that this handler has had this event."""
        ...

    def check(self, isolation_level: str) -> None:
        """Refuse a level this database does not have.

        Raises:
            PolicyError: it says which levels there are.
        """


class CacheEntry(NamedTuple):
    """A stored value, how long it is still good for in seconds, and the level it was found on."""

    value: bytes
    ttl_seconds: float
    level: str


class Cache(Protocol):
    """Keeps values for a while. A cache that is down is slow or empty; it never fails an operation."""

    async def get(self, key: str) -> CacheEntry | None:
        """The entry of this key, if there is one."""
        ...

    async def generation(self, tags: Collection[str]) -> Any:
        """A mark of now as plain data, to be taken before a value is loaded and given to `set`."""
        ...

    async def set(self, key: str, value: bytes, ttl_seconds: float, tags: Collection[str], generation: Any) -> None:
        """Store a value, unless one of its tags was invalidated since the mark: then it may be stale."""

    def loading(self, key: str, generation: Any) -> AbstractAsyncContextManager[bool]:
        """To be entered by who loads a value, one in each process: only one process is inside at a time.

        It tells whether another process was, whose value may be there by now. A process that dies inside keeps the
        others out for a short while only.
        """
        ...

    async def invalidate(self, tags: Collection[str]) -> None:
        """Drop every entry that has one of these tags."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What a user may do."""

    permissions: frozenset[str] = frozenset()
    is_admin: bool = False


class AccessPolicy(Protocol):
    """Knows on the server what each user may do."""

    async def grants_of(self, user_id: str) -> Grants | None:
        """What this user may do; None when there is no such active user."""
        ...


class Clock(Protocol):
    """Tells the time, so that tests can set it."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...


class ErrorReports(Protocol):
    """Tells somebody about what nobody expected: a bug, or an event that could not be delivered.

    It returns at once, whatever is the matter with whoever is told, and it never raises.
    """

    def report(self, error: BaseException, name: str, metadata: OperationMetadata) -> None:
        """Tell about an error.

        Args:
            error: what went wrong.
            name: the message or event it went wrong with.
            metadata: the operation it happened in.
        """


class Tracer(Protocol):
    """OpenTelemetry's `Tracer`, as far as the bus needs it: who has none need not import it."""

    def start_span(self, name: str, context: Any = ..., kind: Any = ..., attributes: Any = ...) -> Any:
        """A span that has begun."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside of a bus; what is None is not there."""

    scope: Scope | None = None
    units: UnitsOfWork | None = None
    cache: Cache | None = None
    access: AccessPolicy | None = None
    clock: Clock | None = None
    tracer: Tracer | None = None
    reports: ErrorReports | None = None
