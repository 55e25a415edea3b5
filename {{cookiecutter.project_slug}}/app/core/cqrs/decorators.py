"""Declarations of handlers. The decorators only mark classes; the composition root registers them."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, get_origin

from app.core.cqrs.errors import PolicyError
from app.core.cqrs.events import DomainEvent
from app.core.cqrs.messages import ICommand, IQuery
from app.core.cqrs.plan import (
    DEFAULT_COMMAND_TIMEOUT_SECONDS,
    DEFAULT_QUERY_TIMEOUT_SECONDS,
    DEFAULT_REACTION_TIMEOUT_SECONDS,
    Declaration,
    Kind,
)
from app.core.cqrs.policies.policy import require_arguments, require_handler, shown
from app.core.cqrs.results import OperationResult

C = TypeVar("C", bound=ICommand[Any])
Q = TypeVar("Q", bound=IQuery[Any])
E = TypeVar("E", bound=DomainEvent)
E_contra = TypeVar("E_contra", bound=DomainEvent, contravariant=True)
M_co = TypeVar("M_co", covariant=True)
M_contra = TypeVar("M_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
K_co = TypeVar("K_co", covariant=True)


class MessageClass(Protocol[M_co, R_co]):
    """The class of a command or query, as type checkers see it: it creates an `M` and has an answer type."""

    def restored(self, state: Any, metadata: Any) -> M_co: ...
    def answer_type(self) -> type[R_co]: ...


class Declarable(Protocol[K_co]):
    """The class of any handler, as type checkers see it; `K` is the class itself."""

    def declared(self, declaration: Declaration, /) -> K_co: ...


class AnsweringClass(Declarable[K_co], Protocol[M_contra, R_co, K_co]):
    """The class of a handler of `M` that answers `R`, as type checkers see it."""

    def _handle(self, handler: Any, message: M_contra, /) -> Awaitable[R_co | OperationResult[R_co]]: ...


class ReactingClass(Declarable[K_co], Protocol[E_contra, K_co]):
    """The class of a handler of events, as type checkers see it."""

    def _handle(self, handler: Any, event: E_contra, /) -> Awaitable[None]: ...


def command_handler(
    command: MessageClass[C, R],
    *,
    auto_register: bool = True,
    timeout_seconds: float | None = DEFAULT_COMMAND_TIMEOUT_SECONDS,
) -> Callable[[AnsweringClass[C, R, K_co]], K_co]:
    """Declare the one handler of a command.

    Args:
        command: the class of the command.
        auto_register: False: discovery skips the handler, which you then register explicitly.
        timeout_seconds: the deadline for the whole operation, COMMIT included, in seconds; None: no deadline.

    Raises:
        PolicyError: if `command` is not a command class, or the decorated object is not a handler class.
    """
    _require_message(Kind.COMMAND, "@command_handler(CreateUserCommand)", command)
    declaration = Declaration(Kind.COMMAND, command, auto_register, timeout_seconds)  # type: ignore[arg-type]
    return lambda handler: _declared(handler, declaration)


def query_handler(
    query: MessageClass[Q, R],
    *,
    auto_register: bool = True,
    timeout_seconds: float | None = DEFAULT_QUERY_TIMEOUT_SECONDS,
    cache_enabled: bool = True,
) -> Callable[[AnsweringClass[Q, R, K_co]], K_co]:
    """Declare the one handler of a query, as `command_handler` does that of a command.

    Args:
        query: the class of the query.
        auto_register: False: discovery skips the handler, which you then register explicitly.
        timeout_seconds: the deadline for the whole operation, in seconds; None: no deadline.
        cache_enabled: False: the answers of this handler are never cached.
    """
    _require_message(Kind.QUERY, "@query_handler(GetUserQuery)", query)
    declaration = Declaration(Kind.QUERY, query, auto_register, timeout_seconds, cache_enabled)  # type: ignore[arg-type]
    return lambda handler: _declared(handler, declaration)


def event_handler(
    event: type[E],
    *,
    in_transaction: bool = False,
    timeout_seconds: float | None = DEFAULT_REACTION_TIMEOUT_SECONDS,
    name: str | None = None,
) -> Callable[[ReactingClass[E, K_co]], K_co]:
    """Declare one of the handlers of an event and its subclasses.

    Args:
        event: the class of the event.
        in_transaction: False: the handler runs asynchronously, after the commit. True: it runs before the commit, in
            the same transaction, so that its failure fails the command.
        timeout_seconds: the deadline for one event, retries included, in seconds; None: only that of its command.
        name: the name of an after-commit handler in the inbox and the outbox; None: the name of its class. Give a
            renamed class its old name here, because pending and processed events are stored under it.

    Raises:
        PolicyError: if `event` is not an event class, or the decorated object is not a handler class.
    """
    _require_message(Kind.EVENT, "@event_handler(UserCreated)", event)
    declaration = Declaration(
        Kind.EVENT, event, timeout_seconds=timeout_seconds, in_transaction=in_transaction, name=name
    )
    return lambda handler: _declared(handler, declaration)


def _require_message(kind: Kind, example: str, message: object) -> None:
    """Ensure that the argument of a decorator is a message class of its kind.

    Raises:
        PolicyError: if the argument is of another kind, not a message class, or a parametrised generic class.
    """
    decorator = f"{kind.value}_handler"
    require_arguments(decorator, example, [message])
    origin = get_origin(message)
    if origin is not None:
        raise PolicyError(
            f"@{decorator}({message}): this is not a class of its own, and messages are told apart by their classes. "
            f"Derive one from it, such as `class Own{origin.__name__}({origin.__name__}[...])`, and handle that."
        )
    if not isinstance(message, type):
        raise PolicyError(f"@{decorator} needs the class of a message, not {shown(message)}.")
    if not issubclass(message, kind.base):
        right = next((one.value for one in Kind if issubclass(message, one.base)), None)
        cure = (
            f"derive it from {kind.base.__name__}" if right is None else f"write @{right}_handler({message.__name__})"
        )
        raise PolicyError(f"@{decorator}: {message.__name__} does not inherit {kind.base.__name__}: {cure}.")


def _declared(handler: Declarable[K_co], declaration: Declaration) -> K_co:
    require_handler(f"{declaration.kind.value}_handler", handler)
    return handler.declared(declaration)
