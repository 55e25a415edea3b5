"""What is known about a handler before a message arrives: its declaration, and the plan of its pipeline on one bus."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import cached_property
from typing import Any, Self, TypeVar

from app.core.cqrs.events import DomainEvent
from app.core.cqrs.messages import ICommand, IQuery
from app.core.cqrs.ports import Ports
from app.core.cqrs.results import CommandResult, OperationResult, QueryResult

Step = Callable[[Any], Coroutine[Any, Any, Any]]
"""One step of a pipeline: takes the message, and calls the rest of the pipeline."""

P = TypeVar("P")
HOOKS_ON_RESULTS = {"_get_affected_entities": "affected_entities", "_get_pagination_info": "pagination"}
"""Hook -> the part of the result that it fills in."""

DEFAULT_COMMAND_TIMEOUT_SECONDS = DEFAULT_REACTION_TIMEOUT_SECONDS = 30.0
DEFAULT_QUERY_TIMEOUT_SECONDS = 15.0


class Kind(Enum):
    """The kind of a message."""

    COMMAND = "command"
    QUERY = "query"
    EVENT = "event"

    @property
    def base(self) -> type:
        """The base class of messages of this kind."""
        return {Kind.COMMAND: ICommand, Kind.QUERY: IQuery, Kind.EVENT: DomainEvent}[self]


@dataclass(frozen=True)
class Declaration:
    """The data that `command_handler`, `query_handler` and `event_handler` record on a handler class."""

    kind: Kind
    message_type: type
    auto_register: bool = True
    timeout_seconds: float | None = None
    cache_enabled: bool = True
    in_transaction: bool = False
    name: str | None = None


declared_handlers: list[type] = []
"""All handler classes that decorators have marked in this process, in the order of their declaration."""


def declarations_of(handler: type) -> tuple[Declaration, ...]:
    """The declarations on the class itself; a subclass inherits none."""
    return handler.__dict__.get("__handles__", ())  # type: ignore[no-any-return]


def policies_of(handler: Any) -> Mapping[type, Any]:
    """The policies that decorators recorded on this class and on its bases; the first in its method order wins."""
    recorded = (cls.__dict__.get("__policies__", {}) for cls in reversed(handler.__mro__))
    return {kind: policy for own in recorded for kind, policy in own.items()}


@dataclass(frozen=True, kw_only=True)
class Plan(Declaration):
    """A declaration with its handler, which is a class or an instance used as it is, on one bus."""

    handler: Any
    bus: Any
    policies: Mapping[type, Any]
    middlewares: tuple[Any, ...] = ()
    nested: bool = False
    """Whether the message is dispatched, or the event raised, inside the operation of another message."""
    number: int = 1
    """The number of this handler among those of the same class for the same event."""

    @classmethod
    def of(cls, declaration: Declaration, handler: Any, bus: Any) -> Self:
        """Plan a declared handler on a bus."""
        declared = {field.name: getattr(declaration, field.name) for field in fields(Declaration)}
        policies = policies_of(handler if isinstance(handler, type) else type(handler))
        return cls(**declared, handler=handler, bus=bus, policies=policies, nested=declaration.in_transaction)

    @property
    def ports(self) -> Ports:
        """The ports of the bus."""
        return self.bus.ports  # type: ignore[no-any-return]

    @cached_property
    def handler_type(self) -> type:
        """The class of the handler."""
        return self.handler if self.is_class else type(self.handler)

    @property
    def is_class(self) -> bool:
        """Whether the handler is built anew for each attempt."""
        return isinstance(self.handler, type)

    @property
    def base_name(self) -> str:
        """The name that an event handler shares with others of its class."""
        return self.name or self.handler_type.__name__

    @property
    def name_on_record(self) -> str:
        """The name of an event handler in the inbox and the outbox."""
        return self.base_name if self.number == 1 else f"{self.base_name}#{self.number}"

    @property
    def result_type(self) -> type[OperationResult[Any]]:
        """The result class of this kind of message."""
        return CommandResult if self.kind is Kind.COMMAND else QueryResult

    @property
    def types_of_handler(self) -> tuple[Any, ...]:
        """The message and answer types that the base class of the handler declares; empty if it declares none."""
        return self.handler_type.handled_types() if hasattr(self.handler_type, "handled_types") else ()

    @property
    def answer_type(self) -> Any:
        """The answer type that the message declares, or else that of the handler's base class."""
        declared = self.message_type.answer_type()  # type: ignore[attr-defined]  # asked of commands and queries only
        of_handler = self.types_of_handler
        return of_handler[1] if declared is Any and len(of_handler) == 2 else declared

    def policy(self, policy_type: type[P]) -> P | None:
        """The policy of this type, if the handler has it."""
        return self.policies.get(policy_type)

    def overrides(self, method: str) -> bool:
        """Whether the handler overrides a hook."""
        own = getattr(self.handler_type, method, None)
        return own is not None and not hasattr(own, "is_unset_hook")

    @property
    def caches_itself(self) -> bool:
        """Whether the handler replaces the built-in cache look-up or store."""
        return self.overrides("_get_cached_result") or self.overrides("_cache_result")

    @property
    def needs_result(self) -> bool:
        """Whether a policy or hook needs a result object; if none does, an instance is called directly."""
        return bool(self.policies) or self.caches_itself or any(map(self.overrides, HOOKS_ON_RESULTS))

    @property
    def opens_unit(self) -> bool:
        """Whether a policy needs a unit of work, and the bus can open one."""
        return self.ports.units is not None and any(policy.needs_unit for policy in self.policies.values())

    @property
    def needs_attempt(self) -> bool:
        """Whether an attempt has state of its own: a scope, a unit of work, or stale cache tags."""
        has_scope = self.is_class and self.ports.scope is not None
        return has_scope or self.opens_unit or any(policy.has_effects for policy in self.policies.values())

    def inside(self) -> Self:
        """The same plan for a nested dispatch."""
        return replace(self, nested=True)


def unset_hook(hook: Any) -> Any:
    """Mark a hook as the default of the base class, which the pipeline never calls."""
    hook.is_unset_hook = True
    return hook
