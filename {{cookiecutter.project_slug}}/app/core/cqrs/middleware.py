"""Middleware around commands and queries: callables, and behaviours as classes with dependencies."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import UnionType
from typing import Any, Generic, Union, get_args, get_origin

from typing_extensions import TypeVar

from app.core.cqrs.errors import PolicyError
from app.core.cqrs.messages import ICommand, IQuery
from app.core.cqrs.plan import Kind
from app.core.cqrs.ports import Ports
from app.core.cqrs.results import OperationResult
from app.core.generics import shown, type_argument
from app.core.injected import Injected

M = TypeVar("M", default=Any)

NextHandler = Callable[[], Awaitable[OperationResult[Any]]]
"""The rest of the pipeline; a middleware returns the result of it, or a result of its own."""

Middleware = Callable[[Any, NextHandler], Awaitable[OperationResult[Any]]]
"""Takes the operation (a command or query) and the rest of the pipeline; returns a result."""


class PipelineBehavior(Injected, ABC, Generic[M]):
    """A middleware around messages of type `M`: a message class, a common base of several, or Any.

    Annotated attributes are dependencies, as with handlers. A behaviour is built once, when the service starts.
    """

    @abstractmethod
    async def handle(self, message: M, next_handler: NextHandler) -> OperationResult[Any]:
        """Act before, after or instead of `await next_handler()`, and return its result or another one."""

    @classmethod
    def message_type(cls) -> Any:
        """The `M` of this behaviour; Any if it declares none."""
        return type_argument(cls, PipelineBehavior)


class Middlewares:
    """The middleware of one bus, in the order in which it was added."""

    def __init__(self) -> None:
        self._added: list[tuple[frozenset[Kind], tuple[type, ...], Any]] = []
        self._built: dict[type, PipelineBehavior[Any]] = {}

    def add(self, kinds: Iterable[Kind], middleware: Any) -> None:
        """Add a middleware, as `CQRSBus.add_middleware` does."""
        if not callable(middleware) and not isinstance(middleware, PipelineBehavior):
            raise PolicyError(
                f"{middleware!r} is not a middleware: give an `async def (operation, next_handler)` or a "
                "PipelineBehavior."
            )
        message_types = _message_types(middleware)
        for one in message_types:
            if not isinstance(one, type) or issubclass(one, Kind.EVENT.base):
                raise PolicyError(
                    f"{_class_of(middleware).__name__} is a behaviour of {shown(one)}, and would never run: behaviours "
                    "stand around commands and queries. Who is told of an event is an @event_handler."
                )
        self._added.append((frozenset(kinds), message_types, middleware))

    def idle(self, handled: Iterable[type]) -> Iterator[str]:
        """Describe each behaviour whose messages have no handler, in one sentence each."""
        for kinds, message_types, middleware in self._added:
            if {object, ICommand, IQuery} & set(message_types):  # a catch-all, which may match nothing
                continue
            bases = tuple(kind.base for kind in kinds)
            if any(issubclass(base, message_types) for base in bases):  # it matches every message of a kind
                continue
            if not any(issubclass(message, message_types) and issubclass(message, bases) for message in handled):
                named = " or ".join(one.__name__ for one in message_types)
                yield (
                    f"{_class_of(middleware).__name__} is a behaviour of {named}, of which nobody handles any here: "
                    "name a message that has a handler, a base of some, ICommand[Any] or IQuery[Any]."
                )

    async def build(self, ports: Ports) -> None:
        """Build the behaviours that were given as classes, once."""
        for _, _, middleware in self._added:
            if isinstance(middleware, type) and middleware not in self._built:
                self._built[middleware] = middleware() if ports.scope is None else await ports.scope.get(middleware)

    def around(self, kind: Kind, message_type: type, ports: Ports) -> tuple[Any, ...]:
        """The middleware for messages of this type, outermost first."""
        return tuple(
            self._callable(middleware, ports)
            for kinds, message_types, middleware in self._added
            if kind in kinds and issubclass(message_type, message_types)
        )

    def _callable(self, middleware: Any, ports: Ports) -> Any:
        if isinstance(middleware, type):
            if middleware not in self._built and ports.scope is not None:
                raise PolicyError(f"{middleware.__name__} is not built yet: use the bus with `async with bus:`.")
            middleware = self._built.get(middleware) or self._built.setdefault(middleware, middleware())
        return middleware.handle if isinstance(middleware, PipelineBehavior) else middleware


def _message_types(middleware: Any) -> tuple[type, ...]:
    """The message types that a middleware surrounds, with their subclasses."""
    behavior = _class_of(middleware)
    wanted = behavior.message_type() if issubclass(behavior, PipelineBehavior) else Any
    if wanted is Any:
        return (object,)
    choices: tuple[Any, ...] = get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,)
    return tuple(get_origin(choice) or choice for choice in choices)


def _class_of(middleware: Any) -> type:
    return middleware if isinstance(middleware, type) else type(middleware)
