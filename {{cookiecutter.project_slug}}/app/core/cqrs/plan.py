"""Everything that is known beforehand about how one type of message is handled by one handler."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar

from app.core.cqrs.ports import Ports
from app.core.cqrs.results import CommandResult, OperationResult, QueryResult

Step = Callable[[Any], Coroutine[Any, Any, Any]]
"""One step of a pipeline: takes the message, and the rest of the pipeline happens inside it."""

P = TypeVar("P")

HOOKS_ON_RESULTS = ("_get_affected_entities", "_get_pagination_info")


class Kind(Enum):
    """What sort of message it is."""

    COMMAND = "command"
    QUERY = "query"
    EVENT = "event"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One message type, its handler (a class, or an instance used as it is), and the policies around it."""

    kind: Kind
    message_type: type
    handler: Any
    timeout_seconds: float | None
    policies: Mapping[type, Any]
    ports: Ports
    bus: Any
    middlewares: tuple[Any, ...] = ()
    cache_enabled: bool = True
    nested: bool = False
    name: str = ""
    """What the inbox and the outbox know a handler of events by."""

    @cached_property
    def handler_type(self) -> type:
        """The class of the handler."""
        return self.handler if self.is_class else type(self.handler)

    @property
    def is_class(self) -> bool:
        """Whether the handler is built anew for each attempt."""
        return isinstance(self.handler, type)

    @property
    def result_type(self) -> type[OperationResult[Any]]:
        """The class of results of this kind of message."""
        return CommandResult if self.kind is Kind.COMMAND else QueryResult

    @property
    def answer_type(self) -> Any:
        """What the message says it is answered with; where it says nothing, what the handler's base says."""
        declared = self.message_type.answer_type()  # type: ignore[attr-defined]  # asked of commands and queries only
        said: tuple[Any, ...] = self.handler_type.handled_types() if hasattr(self.handler_type, "handled_types") else ()
        return said[1] if declared is Any and len(said) == 2 else declared

    def policy(self, policy_type: type[P]) -> P | None:
        """The policy of this type, if the handler has it."""
        return self.policies.get(policy_type)

    def overrides(self, method: str) -> bool:
        """Whether the handler has its own form of a hook."""
        own = getattr(self.handler_type, method, None)
        return own is not None and not hasattr(own, "is_unset_hook")

    @property
    def caches_itself(self) -> bool:
        """Whether the handler replaces the built-in look-up and store."""
        return self.overrides("_get_cached_result") or self.overrides("_cache_result")

    @property
    def needs_result(self) -> bool:
        """Whether a step around an instance looks at what its handler returns."""
        return bool(self.policies) or self.caches_itself or any(map(self.overrides, HOOKS_ON_RESULTS))

    def inside(self) -> "Plan":
        """The same for a dispatch inside another."""
        return replace(self, nested=True)


def unset_hook(hook: Any) -> Any:
    """Mark the base's own form of a hook: the pipeline never calls it."""
    hook.is_unset_hook = True
    return hook
