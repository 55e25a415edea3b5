"""The base class of policies: decorators record them on the handler's class, and the pipeline reads them there."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from app.core.cqrs.errors import PolicyError
from app.core.cqrs.plan import Plan
from app.core.cqrs.targets import HandlerClass, require_handler

K = TypeVar("K", bound=HandlerClass)


class Policy:
    """The settings that a decorator records; immutable."""

    def check(self, plan: Plan) -> None:
        """Refuse this policy if it cannot work in this plan.

        Raises:
            PolicyError: if it cannot work; the message says why and what to do.
        """


def record(handler: K, policy: Policy) -> K:
    """Record a policy on a handler class; it replaces an own or inherited policy of the same type.

    Raises:
        PolicyError: if this is not a handler class.
    """
    require_handler(decorator_of(type(policy)), handler)
    handler.__policies__ = {**policies_of(handler), type(policy): policy}  # type: ignore[attr-defined]
    return handler


def decorator_of(policy_type: type[Policy]) -> str:
    """The name of the decorator that records a policy."""
    return re.sub("(?<!^)(?=[A-Z])", "_", policy_type.__name__).lower()


def policies_of(handler: Any) -> Mapping[type, Policy]:
    """The policies of this class, inherited ones included."""
    found: Mapping[type, Policy] = getattr(handler, "__policies__", {})
    return found


def refuse(plan: Plan, reason: str) -> PolicyError:
    """The error for a policy that cannot work, naming its handler."""
    return PolicyError(f"{plan.handler_type.__name__}: {reason}")


def require_fields(plan: Plan, names: tuple[str, ...], parameter: str) -> None:
    """Ensure that the message has these fields.

    Raises:
        PolicyError: if a field is missing.
    """
    unknown = [name for name in names if not has_field(plan.message_type, name)]
    if unknown:
        raise refuse(plan, f"{parameter} names {', '.join(unknown)}, which {plan.message_type.__name__} does not have.")


def has_field(message_type: type, name: str) -> bool:
    """Whether messages of this type have this field or property."""
    fields = getattr(message_type, "__dataclass_fields__", {})
    return name in fields or isinstance(getattr(message_type, name, None), property)
