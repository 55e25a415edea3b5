"""What the decorators of handlers may be put on; anything else is refused, because it would do nothing there."""

from collections.abc import Mapping
from typing import Any, Protocol, get_origin

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


def require_message(decorator: str, message: object, kinds: Mapping[str, type]) -> None:
    """Make sure that what a decorator names is a message of its kind.

    Args:
        decorator: its name.
        message: what it was given.
        kinds: the decorators, each with the base of what it takes.

    Raises:
        PolicyError: it is of another kind, no message at all, or generic.
    """
    origin = get_origin(message)
    if origin is not None:
        raise PolicyError(
            f"@{decorator}({message}): this is no class of its own, and messages are told apart by their classes. "
            f"Derive one from it, such as `class Own{origin.__name__}({origin.__name__}[...])`, and handle that."
        )
    if not isinstance(message, type):
        raise PolicyError(f"@{decorator} needs the class of a message, not {shown(message)}.")
    if not issubclass(message, kinds[decorator]):
        right = next((name for name, base in kinds.items() if issubclass(message, base)), None)
        cure = f"derive it from {kinds[decorator].__name__}" if right is None else f"write @{right}({message.__name__})"
        raise PolicyError(f"@{decorator}: {message.__name__} is no {kinds[decorator].__name__}: {cure}.")


def is_handler(target: object) -> bool:
    """Whether this is the class of a handler."""
    return isinstance(target, type) and hasattr(target, "declared")


def shown(target: object) -> str:
    """What somebody put a decorator on, as it is called in the code."""
    if isinstance(target, type):
        return target.__name__
    named = getattr(target, "__qualname__", None)
    return f"an instance of {type(target).__name__}" if named is None else f"the function {named}"
