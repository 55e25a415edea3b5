"""The base class of policies: each is a decorator, a record of its parameters, and a step of the pipeline."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from app.core.cqrs.errors import PolicyError
from app.core.cqrs.plan import Plan, Step
from app.core.storable.types import confusions

BASES = "BaseCommandHandler, BaseQueryHandler or BaseEventHandler"


class HandlerClass(Protocol):
    """The class of a handler, as type checkers see it."""

    def declared(self, declaration: Any, /) -> Any: ...


K = TypeVar("K", bound=HandlerClass)


@dataclass(frozen=True)
class Policy:
    """A decorator of handler classes that changes what happens around the handler.

    A subclass is a frozen dataclass: its fields are the parameters of the decorator, and the decorator is the class
    itself under a second name, `transactional = Transactional`.

    Raises:
        PolicyError: if it is used without parentheses.
    """

    needs_unit: ClassVar[bool] = False
    """Whether the handler has to run in a unit of work."""
    has_effects: ClassVar[bool] = False
    """Whether the policy notes something that happens after the commit."""
    example: ClassVar[str] = "()"
    """Arguments of the decorator, for the error message when there are none."""

    def __post_init__(self) -> None:
        first = getattr(self, fields(self)[0].name)
        require_arguments(self.name(), f"@{self.name()}{self.example}", first if isinstance(first, tuple) else [first])

    @classmethod
    def name(cls) -> str:
        """The name of the decorator."""
        return re.sub("(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __call__(self, handler: K) -> K:
        """Record this policy on a handler class; it replaces an own or inherited policy of the same type.

        Raises:
            PolicyError: if it is put on anything but a handler class.
        """
        require_handler(self.name(), handler)
        handler.__policies__ = {**handler.__dict__.get("__policies__", {}), type(self): self}  # type: ignore[attr-defined]
        return handler

    def check(self, plan: Plan) -> None:
        """Raise a PolicyError if this policy cannot work in this plan; its message says why and what to do."""

    def step(self, plan: Plan, proceed: Step) -> Step:
        """Wrap the rest of the pipeline. A policy that has nothing to do here returns it unchanged."""
        return proceed

    def _normalise(self, **values: Any) -> None:
        """Replace arguments by their normal form, such as a list by a tuple; for `__post_init__`."""
        vars(self).update(values)


def require_handler(decorator: str, target: object) -> None:
    """Raise a PolicyError if a decorator is applied to something else than a handler class."""
    if not is_handler(target):
        raise PolicyError(
            f"@{decorator} is on {shown(target)}, which is not a handler class, and would have no effect there: put "
            f"it on the class with `_handle`, which derives from {BASES}."
        )


def require_arguments(decorator: str, example: str, given: Iterable[object]) -> None:
    """Raise a PolicyError if a decorator has no parentheses: then its first argument is the decorated class."""
    for one in given:
        if is_handler(one):
            raise PolicyError(f"@{decorator} on {shown(one)} has no parentheses: write {example}.")


def is_handler(target: object) -> bool:
    """Whether this is a handler class."""
    return isinstance(target, type) and hasattr(target, "declared")


def shown(target: object) -> str:
    """The name of a decorated object in the code, for error messages."""
    if isinstance(target, type):
        return target.__name__
    named = getattr(target, "__qualname__", None)
    return f"an instance of {type(target).__name__}" if named is None else f"the function {named}"


def refusal(plan: Plan, reason: str) -> PolicyError:
    """The error for a policy that cannot work, naming its handler."""
    return PolicyError(f"{plan.handler_type.__name__}: {reason}")


def require_fields(plan: Plan, names: Iterable[str], parameter: str) -> None:
    """Raise a PolicyError if the message lacks one of these fields or properties."""
    message = plan.message_type
    known = {field.name for field in fields(message)} if is_dataclass(message) else set()
    unknown = [one for one in names if one not in known and not isinstance(getattr(message, one, None), property)]
    if unknown:
        raise refusal(plan, f"{parameter} names {', '.join(unknown)}, which {message.__name__} does not have.")


def require_distinct(plan: Plan, names: Iterable[str] | None, purpose: str) -> None:
    """Raise a PolicyError if different values of these fields or properties (None: all fields) may be the same JSON."""
    for sentence in confusions(plan.message_type, names):
        raise refusal(plan, f"{purpose}, which must not be the same for different values. {sentence}")
