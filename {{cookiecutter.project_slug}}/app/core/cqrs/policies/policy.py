"""What all policies have in common: they are recorded on the handler's class, and the pipeline reads them there."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from app.core.cqrs.errors import PolicyError
from app.core.cqrs.plan import Plan
from app.core.cqrs.targets import HandlerClass, require_handler

K = TypeVar("K", bound=HandlerClass)


class Policy:
    """What a decorator records; immutable."""

    def check(self, plan: Plan) -> None:
        """Refuse this policy where it cannot work.

        Raises:
            PolicyError: it says what is wrong and what to do.
        """


def record(handler: K, policy: Policy) -> K:
    """Record a policy on a handler; one of the same type that it had, or inherits, is replaced.

    Raises:
        PolicyError: this is no class of handlers.
    """
    require_handler(decorator_of(type(policy)), handler)
    handler.__policies__ = {**policies_of(handler), type(policy): policy}  # type: ignore[attr-defined]
    return handler


def decorator_of(policy_type: type[Policy]) -> str:
    """The name of the decorator that records a policy."""
    return re.sub("(?<!^)(?=[A-Z])", "_", policy_type.__name__).lower()


def policies_of(handler: Any) -> Mapping[type, Policy]:
    """The policies on this class and those it inherits."""
    found: Mapping[type, Policy] = getattr(handler, "__policies__", {})
    return found


def refuse(plan: Plan, reason: str) -> PolicyError:
    """The error for a policy that cannot work, naming its handler."""
    return PolicyError(f"{plan.handler_type.__name__}: {reason}")


def require_fields(plan: Plan, names: tuple[str, ...], parameter: str) -> None:
    """Make sure that the message has these fields.

    Raises:
        PolicyError: it has not.
    """
    unknown = [name for name in names if not has_field(plan.message_type, name)]
    if unknown:
        raise refuse(plan, f"{parameter} names {', '.join(unknown)}, which {plan.message_type.__name__} does not have.")


def has_field(message_type: type, name: str) -> bool:
    """Whether messages of this type have this field or property."""
    fields = getattr(message_type, "__dataclass_fields__", {})
    return name in fields or isinstance(getattr(message_type, name, None), property)
