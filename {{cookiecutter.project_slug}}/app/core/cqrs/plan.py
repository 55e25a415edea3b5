"""The static description of how one handler handles one message type."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar

from app.core.cqrs.ports import Ports
from app.core.cqrs.results import CommandResult, OperationResult, QueryResult

Step = Callable[[Any], Coroutine[Any, Any, Any]]
"""One step of a pipeline: takes the message, and calls the rest of the pipeline."""

P = TypeVar("P")

HOOKS_ON_RESULTS = ("_get_affected_entities", "_get_pagination_info")


class Kind(Enum):
    """The kind of a message."""

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
    """The name of an event handler in the inbox and the outbox."""

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
        """The result class of this kind of message."""
        return CommandResult if self.kind is Kind.COMMAND else QueryResult

    @property
    def answer_type(self) -> Any:
        """The answer type that the message declares, or else that of the handler's base class."""
        declared = self.message_type.answer_type()  # type: ignore[attr-defined]  # asked of commands and queries only
        said: tuple[Any, ...] = self.handler_type.handled_types() if hasattr(self.handler_type, "handled_types") else ()
        return said[1] if declared is Any and len(said) == 2 else declared

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

    def inside(self) -> "Plan":
        """The same plan for a nested dispatch."""
        return replace(self, nested=True)


def unset_hook(hook: Any) -> Any:
    """Mark a hook as the default of the base class, which the pipeline never calls."""
    hook.is_unset_hook = True
    return hook
