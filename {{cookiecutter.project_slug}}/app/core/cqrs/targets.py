"""What the decorators of handlers may be put on; anything else is refused, because it would do nothing there."""

from typing import Any, Protocol

from app.core.cqrs.errors import PolicyError

BASES = "BaseCommandHandler, BaseQueryHandler or BaseEventHandler"


class HandlerClass(Protocol):
    """The class of a handler, as type checkers see it."""

    def declared(self, declaration: Any, /) -> Any: ...


def require_handler(decorator: str, target: object) -> None:
    """Make sure that a decorator stands on the class of a handler.

    Raises:
        PolicyError: it stands on something else, and would do nothing.
    """
    if not is_handler(target):
        raise PolicyError(
            f"@{decorator} is on {shown(target)}, which is no class of handlers, and would do nothing there: put it "
            f"on the class with `_handle`, which derives from {BASES}."
        )


def require_arguments(decorator: str, example: str, *given: object) -> None:
    """Make sure that a decorator has its parentheses: without them its first argument is what it stands on.

    Raises:
        PolicyError: it has none, and the name behind it would not be a handler any more.
    """
    for one in given:
        if is_handler(one):
            raise PolicyError(f"@{decorator} on {shown(one)} has no parentheses: write {example}.")


def is_handler(target: object) -> bool:
    """Whether this is the class of a handler."""
    return isinstance(target, type) and hasattr(target, "declared")


def shown(target: object) -> str:
    """What somebody put a decorator on, as it is called in the code."""
    if isinstance(target, type):
        return target.__name__
    named = getattr(target, "__qualname__", None)
    return f"an instance of {type(target).__name__}" if named is None else f"the function {named}"
