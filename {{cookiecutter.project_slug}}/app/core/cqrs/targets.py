"""Checks that decorators are applied to handler classes: they would have no effect on anything else."""

from collections.abc import Mapping
from typing import Any, Protocol, get_origin

from app.core.cqrs.errors import PolicyError

BASES = "BaseCommandHandler, BaseQueryHandler or BaseEventHandler"


class HandlerClass(Protocol):
    """The class of a handler, as type checkers see it."""

    def declared(self, declaration: Any, /) -> Any: ...


def require_handler(decorator: str, target: object) -> None:
    """Ensure that a decorator is applied to a handler class.

    Raises:
        PolicyError: if it is applied to something else, where it would have no effect.
    """
    if not is_handler(target):
        raise PolicyError(
            f"@{decorator} is on {shown(target)}, which is no class of handlers, and would do nothing there: put it "
            f"on the class with `_handle`, which derives from {BASES}."
        )


def require_arguments(decorator: str, example: str, *given: object) -> None:
    """Ensure that a decorator has parentheses: without them, its first argument is the decorated class.

    Raises:
        PolicyError: if it has none; the name of the class would no longer refer to a handler.
    """
    for one in given:
        if is_handler(one):
            raise PolicyError(f"@{decorator} on {shown(one)} has no parentheses: write {example}.")


def require_message(decorator: str, message: object, kinds: Mapping[str, type]) -> None:
    """Ensure that the argument of a decorator is a message class of its kind.

    Args:
        decorator: the name of the decorator.
        message: the argument of the decorator.
        kinds: the base class of messages for each decorator, by its name.

    Raises:
        PolicyError: if the argument is of another kind, not a message class, or a parametrised generic class.
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
    """Whether this is a handler class."""
    return isinstance(target, type) and hasattr(target, "declared")


def shown(target: object) -> str:
    """The name of a decorated object in the code, for error messages."""
    if isinstance(target, type):
        return target.__name__
    named = getattr(target, "__qualname__", None)
    return f"an instance of {type(target).__name__}" if named is None else f"the function {named}"
