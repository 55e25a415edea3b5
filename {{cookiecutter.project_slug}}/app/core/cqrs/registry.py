"""Which handler is declared for which message. The decorators only mark; the composition root registers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from app.core.cqrs.messages import DomainEvent, ICommand, IQuery
from app.core.cqrs.metadata import OperationMetadata
from app.core.cqrs.plan import Kind
from app.core.cqrs.results import OperationResult
from app.core.cqrs.targets import require_arguments, require_handler, require_message

C = TypeVar("C", bound=ICommand[Any])
E = TypeVar("E", bound=DomainEvent)
E_contra = TypeVar("E_contra", bound=DomainEvent, contravariant=True)
Q = TypeVar("Q", bound=IQuery[Any])
C_co = TypeVar("C_co", bound=ICommand[Any], covariant=True)
Q_co = TypeVar("Q_co", bound=IQuery[Any], covariant=True)
C_contra = TypeVar("C_contra", bound=ICommand[Any], contravariant=True)
Q_contra = TypeVar("Q_contra", bound=IQuery[Any], contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
K_co = TypeVar("K_co", covariant=True)

KINDS = {"command_handler": ICommand, "query_handler": IQuery, "event_handler": DomainEvent}
DEFAULT_COMMAND_TIMEOUT_SECONDS = 30.0
DEFAULT_QUERY_TIMEOUT_SECONDS = 15.0
DEFAULT_REACTION_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Declaration:
    """What `command_handler`, `query_handler` and `event_handler` record."""

    kind: Kind
    message_type: type
    auto_register: bool = True
    timeout_seconds: float | None = None
    cache_enabled: bool = True
    in_transaction: bool = False
    name: str | None = None


declared_handlers: list[type] = []
"""Every handler class that a decorator marked in this process, in that order."""


def declarations_of(handler: type) -> tuple[Declaration, ...]:
    """What was declared on this very class; a subclass handles nothing until it says so itself."""
    declarations: tuple[Declaration, ...] = handler.__dict__.get("__handles__", ())
    return declarations


def declare(handler: type, declaration: Declaration) -> None:
    """Mark a handler class; a second mark for the same message replaces the first."""
    others = tuple(d for d in declarations_of(handler) if not _replaces(declaration, d))
    handler.__handles__ = (*others, declaration)  # type: ignore[attr-defined]
    if handler not in declared_handlers:
        declared_handlers.append(handler)


def _replaces(new: Declaration, old: Declaration) -> bool:
    return new.kind is not Kind.EVENT or new.message_type is old.message_type


class CommandClass(Protocol[C_co, R_co]):
    """The class of a command, as type checkers see it: it makes a `C` and tells its answer's type."""

    def restored(self, state: dict[str, Any], metadata: OperationMetadata | None) -> C_co: ...
    def answer_type(self) -> type[R_co]: ...


class QueryClass(Protocol[Q_co, R_co]):
    """The class of a query, as type checkers see it."""

    def restored(self, state: dict[str, Any], metadata: OperationMetadata | None) -> Q_co: ...
    def answer_type(self) -> type[R_co]: ...


class CommandHandlerClass(Protocol[C_contra, R_co, K_co]):
    """The class of a handler of `C` that answers `R`, as type checkers see it; `K` is that very class."""

    def declared(self, declaration: Declaration, /) -> K_co: ...
    def _handle(self, handler: Any, command: C_contra, /) -> "Awaitable[R_co | OperationResult[R_co]]": ...


class QueryHandlerClass(Protocol[Q_contra, R_co, K_co]):
    """The class of a handler of `Q` that answers `R`, as type checkers see it."""

    def declared(self, declaration: Declaration, /) -> K_co: ...
    def _handle(self, handler: Any, query: Q_contra, /) -> "Awaitable[R_co | OperationResult[R_co]]": ...


class EventHandlerClass(Protocol[E_contra, K_co]):
    """The class of a handler of events, as type checkers see it."""

    def declared(self, declaration: Declaration, /) -> K_co: ...
    def _handle(self, handler: Any, event: E_contra, /) -> Awaitable[None]: ...


def command_handler(
    command: CommandClass[C, R],
    *,
    auto_register: bool = True,
    timeout_seconds: float | None = DEFAULT_COMMAND_TIMEOUT_SECONDS,
) -> "Callable[[CommandHandlerClass[C, R, K_co]], K_co]":
    """Declare the one handler of a command.

    Args:
        command: the class of the command.
        auto_register: False: discovery passes the handler over, and somebody registers it by hand.
        timeout_seconds: the deadline for everything the command does, in seconds; None: there is none.

    Raises:
        PolicyError: it is on what is no handler.
    """
    require_arguments("command_handler", "@command_handler(CreateUserCommand)", command)
    require_message("command_handler", command, KINDS)
    declaration = Declaration(Kind.COMMAND, command, auto_register, timeout_seconds)  # type: ignore[arg-type]
    return lambda handler: _declared(handler, declaration)


def query_handler(
    query: QueryClass[Q, R],
    *,
    auto_register: bool = True,
    timeout_seconds: float | None = DEFAULT_QUERY_TIMEOUT_SECONDS,
    cache_enabled: bool = True,
) -> "Callable[[QueryHandlerClass[Q, R, K_co]], K_co]":
    """Declare the one handler of a query.

    Args:
        query: the class of the query.
        auto_register: False: discovery passes the handler over, and somebody registers it by hand.
        timeout_seconds: the deadline for everything the query does, in seconds; None: there is none.
        cache_enabled: False switches all caching of this handler's answers off.

    Raises:
        PolicyError: it is on what is no handler.
    """
    require_arguments("query_handler", "@query_handler(GetUserQuery)", query)
    require_message("query_handler", query, KINDS)
    declaration = Declaration(Kind.QUERY, query, auto_register, timeout_seconds, cache_enabled)  # type: ignore[arg-type]
    return lambda handler: _declared(handler, declaration)


def event_handler(
    event: type[E],
    *,
    in_transaction: bool = False,
    timeout_seconds: float | None = DEFAULT_REACTION_TIMEOUT_SECONDS,
    name: str | None = None,
) -> "Callable[[EventHandlerClass[E, K_co]], K_co]":
    """Declare one of the handlers of an event and its subclasses.

    Args:
        event: the class of the event.
        in_transaction: False: after the commit, behind the back of the command. True: before it and in the same
            transaction, so that a failure fails the command.
        timeout_seconds: how long the handler may take for one event, all its attempts included, in seconds; None:
            there is no limit but that of the command it is in.
        name: what the inbox and the outbox know the handler by; None: the name of its class. Give the old name to a
            class that is renamed: events that wait for it, or were handled by it, go by that. What runs in the
            transaction is in neither, and has none.

    Raises:
        PolicyError: it is on what is no handler.
    """
    require_arguments("event_handler", "@event_handler(UserCreated)", event)
    require_message("event_handler", event, KINDS)
    declaration = Declaration(
        Kind.EVENT, event, timeout_seconds=timeout_seconds, in_transaction=in_transaction, name=name
    )
    return lambda handler: _declared(handler, declaration)


class Declarable(Protocol[K_co]):
    """The class of any handler, as type checkers see it."""

    def declared(self, declaration: Declaration, /) -> K_co: ...


def _declared(handler: Declarable[K_co], declaration: Declaration) -> K_co:
    require_handler(f"{declaration.kind.value}_handler", handler)
    return handler.declared(declaration)
