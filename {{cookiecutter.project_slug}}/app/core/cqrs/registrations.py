"""The handlers and middleware of one bus, and the checks at their registration."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from inspect import iscoroutinefunction
from types import UnionType
from typing import Any, Self, TypeVar, Union, get_args, get_origin

from app.core.cqrs.aggregate import AggregateRoot
from app.core.cqrs.errors import DuplicateHandlerError, PolicyError
from app.core.cqrs.generics import parts_of
from app.core.cqrs.messages import DomainEvent, ICommand, IQuery
from app.core.cqrs.middleware.behavior import PipelineBehavior
from app.core.cqrs.plan import Kind, Plan
from app.core.cqrs.policies.policy import policies_of
from app.core.cqrs.ports import Ports
from app.core.cqrs.registry import (
    DEFAULT_COMMAND_TIMEOUT_SECONDS,
    DEFAULT_QUERY_TIMEOUT_SECONDS,
    Declaration,
    declarations_of,
)
from app.core.cqrs.results import CommandResult, QueryResult

P = TypeVar("P")
BASES: Mapping[Kind, type] = {Kind.COMMAND: ICommand, Kind.QUERY: IQuery, Kind.EVENT: DomainEvent}
RESULTS_OF: Mapping[Kind, type] = {Kind.COMMAND: CommandResult, Kind.QUERY: QueryResult}
HOOKS: Mapping[str, Kind] = {
    "_get_affected_entities": Kind.COMMAND,
    "_get_pagination_info": Kind.QUERY,
    "_get_cached_result": Kind.QUERY,
    "_cache_result": Kind.QUERY,
}
TIMEOUTS: Mapping[Kind, float | None] = {
    Kind.COMMAND: DEFAULT_COMMAND_TIMEOUT_SECONDS,
    Kind.QUERY: DEFAULT_QUERY_TIMEOUT_SECONDS,
    Kind.EVENT: None,
}


@dataclass(frozen=True, slots=True)
class Registered:
    """A handler (a class or an instance) with the declaration that it is registered for."""

    handler: Any
    declaration: Declaration
    twins: int = 0
    """The number of other handlers of the same class that were registered for the same event before."""

    @classmethod
    def checked(cls, kind: Kind, message_type: type, handler: Any) -> Self:
        """Check and create the registration of a handler for a message.

        Raises:
            PolicyError: if the message or the handler is not of this kind, or they do not fit each other.
        """
        registered = cls(handler, _declaration(kind, message_type, handler))
        _check_fit(registered)
        return registered

    @property
    def name(self) -> str:
        """The name of the handler's class."""
        return class_of(self.handler).__name__

    @property
    def name_on_record(self) -> str:
        """The name of the handler in the inbox and the outbox."""
        name = self.declaration.name or self.name
        # Handlers of one class for one event are numbered in the order of their registration.
        return f"{name}#{self.twins + 1}" if self.twins else name

    def is_twin_of(self, other: "Registered") -> bool:
        """Whether both handle the same message, with the same class or with classes of the same path."""
        mine, theirs = class_of(self.handler), class_of(other.handler)
        return _path(mine) == _path(theirs) and self.declaration.message_type is other.declaration.message_type

    def plan(self, ports: Ports, bus: Any, middlewares: tuple[Any, ...] = ()) -> Plan:
        """Create the plan for this handler and its message."""
        declaration = self.declaration
        return Plan(
            kind=declaration.kind,
            message_type=declaration.message_type,
            handler=self.handler,
            timeout_seconds=declaration.timeout_seconds,
            policies=policies_of(class_of(self.handler)),
            ports=ports,
            bus=bus,
            middlewares=middlewares,
            cache_enabled=declaration.cache_enabled,
            nested=declaration.in_transaction,
            name=self.name_on_record,
        )


def _path(handler: type) -> str:
    return f"{handler.__module__}.{handler.__qualname__}"


def class_of(handler: Any) -> type:
    """The class of a handler that may be given as a class or as an instance."""
    return handler if isinstance(handler, type) else type(handler)


class Handlers:
    """The registered handlers: one for each command and query, any number for each event."""

    def __init__(self, allow_override: bool) -> None:
        self.allow_override = allow_override
        self.answering: dict[type, Registered] = {}
        self.reacting: list[Registered] = []

    def add(self, registered: Registered) -> None:
        """Add a handler.

        Raises:
            DuplicateHandlerError: if a command or query has a handler, and this bus allows no override, or if
                another event handler is stored under the same name.
        """
        message_type = registered.declaration.message_type
        if registered.declaration.kind is Kind.EVENT:
            self._check_name(registered)
            self.reacting.append(replace(registered, twins=self._twins_of(registered)))
            return
        earlier = self.answering.get(message_type)
        if earlier is not None and not self.allow_override:
            raise DuplicateHandlerError(
                f"{message_type.__name__} is handled by {earlier.name} and by {registered.name}: remove one of them, "
                "or make the bus with allow_handler_override=True to let the later one win."
            )
        self.answering[message_type] = registered

    def _check_name(self, registered: Registered) -> None:
        if registered.declaration.in_transaction:  # it is not stored in inbox or outbox
            return
        name, mine = registered.declaration.name or registered.name, class_of(registered.handler)
        for other in self.reacting:
            if other.declaration.in_transaction:
                continue
            theirs = class_of(other.handler)
            if (other.declaration.name or other.name) == name and _path(theirs) != _path(mine):
                raise DuplicateHandlerError(
                    f"{_path(theirs)} and {_path(mine)} are both known as {name}, and an event that one has handled "
                    f'would be taken for handled by both: give one of them @event_handler(..., name="...").'
                )

    def _twins_of(self, registered: Registered) -> int:
        twins = {id(found.handler): found.twins for found in self.reacting if found.is_twin_of(registered)}
        return twins.get(id(registered.handler), len(twins))  # a handler registered twice reacts once

    def with_policy(self, policy_type: type[P]) -> Iterator[tuple[Registered, P]]:
        """The command and query handlers that have this policy, each paired with its policy."""
        for found in self.answering.values():
            policy = policies_of(class_of(found.handler)).get(policy_type)
            if isinstance(policy, policy_type):
                yield found, policy

    def of_kind(self, kind: Kind) -> dict[type, Registered]:
        """The handlers of commands or of queries, by message type."""
        return {message: found for message, found in self.answering.items() if found.declaration.kind is kind}

    def reactions_to(self, event_type: type) -> list[Registered]:
        """The handlers of an event and of its base classes, in the order of their registration.

        A handler that is registered for several of these classes appears once, with the nearest class.
        """
        lineage = event_type.__mro__
        found: dict[int, Registered] = {}
        for one in self.reacting:
            if issubclass(event_type, one.declaration.message_type):
                known = found.setdefault(id(one.handler), one)
                if lineage.index(one.declaration.message_type) < lineage.index(known.declaration.message_type):
                    found[id(one.handler)] = one
        return list(found.values())


def _declaration(kind: Kind, message_type: type, handler: Any) -> Declaration:
    """The declaration of the handler's decorator for this message, or else a declaration with the defaults."""
    for declaration in declarations_of(class_of(handler)):
        if declaration.kind is kind and declaration.message_type is message_type:
            return declaration
    return Declaration(kind, message_type, timeout_seconds=TIMEOUTS[kind])


def _check_fit(registered: Registered) -> None:
    declaration, handler = registered.declaration, class_of(registered.handler)
    message, base = declaration.message_type, BASES[declaration.kind]
    origin: Any = get_origin(message)
    if origin is not None:
        raise PolicyError(
            f"{handler.__name__}: {message!r} is no class of its own, and messages are told apart by their classes: "
            f"derive one from it, `class Own{origin.__name__}({_brief(message)})` for one, and handle that."
        )
    if not isinstance(message, type) or not issubclass(message, base):
        raise PolicyError(f"{handler.__name__}: {message!r} is no {declaration.kind.value}, it has no {base.__name__}.")
    _check_base(declaration.kind, handler)
    seconds = declaration.timeout_seconds
    if seconds is not None and not seconds > 0:
        raise PolicyError(f"{handler.__name__}: timeout_seconds={seconds:g} leaves no time; None means no deadline.")
    if not iscoroutinefunction(getattr(handler, "_handle", None)):
        raise PolicyError(f"{handler.__name__} needs an `async def _handle(self, {declaration.kind.value})`.")
    if declaration.in_transaction and getattr(message, "event_source", None) is not None:
        raise PolicyError(
            f"{handler.__name__} is to run in the transaction of {message.__name__}, which happens in another service: "
            "leave in_transaction out."
        )
    if declaration.in_transaction and declaration.name is not None:
        raise PolicyError(
            f"{handler.__name__} has a name and runs in the transaction of {message.__name__}, where neither inbox nor "
            "outbox know of it: leave name out."
        )
    said: tuple[Any, ...] = handler.handled_types() if hasattr(handler, "handled_types") else ()
    if said and isinstance(said[0], type) and not issubclass(message, said[0]):
        raise PolicyError(f"{handler.__name__} handles {said[0].__name__}, but is registered for {message.__name__}.")
    if declaration.kind is not Kind.EVENT and len(said) == 2:
        _check_answer(handler, said[1], message)
    if declaration.kind is Kind.COMMAND:
        _check_no_aggregate(handler, message, said[1:])


def _check_base(kind: Kind, handler: type) -> None:
    """Check that the base class and the hooks fit the kind of message, and that the hooks are `async def`."""
    answers_with = getattr(handler, "answers_with", None)
    if answers_with not in (None, RESULTS_OF.get(kind)):
        raise PolicyError(
            f"{handler.__name__} is registered for a message of another kind than its base is for: derive it from "
            f"Base{kind.value.capitalize()}Handler, as what it handles is a{'n' if kind is Kind.EVENT else ''} "
            f"{kind.value}."
        )
    for hook, of_kind in HOOKS.items():
        own = getattr(handler, hook, None)
        if own is None or hasattr(own, "is_unset_hook"):
            continue
        if kind is not of_kind:
            raise PolicyError(f"{handler.__name__}.{hook} is never called: it is a hook of {of_kind.value} handlers.")
        if not iscoroutinefunction(own):
            raise PolicyError(f"{handler.__name__}.{hook} is awaited: write `async def {hook}(...)`.")


def _check_answer(handler: type, answer: Any, message: Any) -> None:
    declared = message.answer_type()
    if isinstance(declared, TypeVar):
        raise PolicyError(
            f"{message.__name__} is generic, and does not say what it is answered with: handle a class that does, such "
            f"as `class Own{message.__name__}({message.__name__}[{_shown(answer)}])`."
        )
    if not _may_answer(answer, declared):
        raise PolicyError(
            f"{handler.__name__} answers {_shown(answer)}, but {message.__name__} is answered with "
            f"{_shown(declared)}: make them the same."
        )


def _check_no_aggregate(handler: type, command: Any, said: tuple[Any, ...]) -> None:
    for answer in (command.answer_type(), *said):
        aggregate = next((part for part in parts_of(answer) if issubclass(part, AggregateRoot)), None)
        if aggregate is not None:
            raise PolicyError(
                f"{handler.__name__} answers {_shown(answer)}, and so lets the aggregate {aggregate.__name__} out of "
                "its transaction: answer with its id, or with a class of its own for what the caller is to know."
            )


def _may_answer(answer: Any, declared: Any) -> bool:
    if answer is Any or declared is Any or answer == declared:
        return True
    if get_origin(declared) in (Union, UnionType):
        mine = get_args(answer) if get_origin(answer) in (Union, UnionType) else (answer,)
        return all(any(_may_answer(one, other) for other in get_args(declared)) for one in mine)
    return isinstance(answer, type) and isinstance(declared, type) and issubclass(answer, declared)


def _brief(generic: Any) -> str:
    """A generic class with its arguments, as written in code."""
    return f"{get_origin(generic).__name__}[{', '.join(map(_shown, get_args(generic)))}]"


def _shown(answer: Any) -> str:
    return answer.__name__ if isinstance(answer, type) and not get_args(answer) else str(answer)


class Middlewares:
    """The middleware of one bus, in the order in which it was added."""

    def __init__(self) -> None:
        self._added: list[tuple[frozenset[Kind], tuple[type, ...], Any]] = []
        self._built: dict[type, PipelineBehavior[Any]] = {}

    def add(self, kinds: Iterable[Kind], middleware: Any) -> None:
        """Add a callable, or a `PipelineBehavior` as a class or an instance.

        Raises:
            PolicyError: if it is neither, or a behaviour for something that is neither command nor query.
        """
        if not callable(middleware) and not isinstance(middleware, PipelineBehavior):
            raise PolicyError(
                f"{middleware!r} is no middleware: give an `async def (operation, next_handler)` or a PipelineBehavior."
            )
        message_types = _message_types(middleware)
        for one in message_types:
            if not isinstance(one, type) or issubclass(one, DomainEvent):
                raise PolicyError(
                    f"{class_of(middleware).__name__} is a behaviour of {_shown(one)}, and would never run: behaviours "
                    "stand around commands and queries. Who is told of an event is an @event_handler."
                )
        self._added.append((frozenset(kinds), message_types, middleware))

    def idle(self, handled: Iterable[type]) -> Iterator[str]:
        """Describe each behaviour whose messages have no handler, in one sentence each."""
        for kinds, message_types, middleware in self._added:
            if {object, ICommand, IQuery} & set(message_types):  # a catch-all, which may match nothing
                continue
            bases = tuple(base for kind, base in BASES.items() if kind in kinds)
            if any(issubclass(base, message_types) for base in bases):  # it matches every message of a kind
                continue
            if not any(issubclass(message, message_types) and issubclass(message, bases) for message in handled):
                named = " or ".join(one.__name__ for one in message_types)
                yield (
                    f"{class_of(middleware).__name__} is a behaviour of {named}, of which nobody handles any here: "
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
    behavior = class_of(middleware)
    wanted = behavior.message_type() if issubclass(behavior, PipelineBehavior) else Any
    if wanted is Any:
        return (object,)
    choices: tuple[Any, ...] = get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,)
    return tuple(get_origin(choice) or choice for choice in choices)
