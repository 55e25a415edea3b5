"""Checks of discovered classes: declarations without effect, and handlers and behaviours that cannot be built."""

from abc import ABC
from collections.abc import Iterator
from dataclasses import is_dataclass
from inspect import isabstract
from typing import Any, get_type_hints

from typing_extensions import Format, get_annotations

from app.core.cqrs import BaseCommandHandler, BaseEventHandler, BaseQueryHandler, DomainEvent, ICommand, IQuery
from app.core.cqrs.plan import declarations_of
from app.core.generics import path_of

HANDLERS = (BaseCommandHandler, BaseQueryHandler, BaseEventHandler)
MESSAGES = (ICommand, IQuery, DomainEvent)


def unfinished(cls: type) -> Iterator[str]:
    """Incomplete declarations, which would have no effect."""
    if issubclass(cls, HANDLERS) and not declarations_of(cls) and not is_base(cls):
        base = next(base for base in HANDLERS if issubclass(cls, base))
        kind = base.__name__.removeprefix("Base").removesuffix("Handler")
        yield (
            f"{path_of(cls)} handles no message: declare it with @{kind.lower()}_handler(...), or "
            "remove it. A base class of handlers must derive from ABC."
        )
    if issubclass(cls, MESSAGES) and "__dataclass_fields__" not in vars(cls) and (fields := _fields_of(cls)):
        yield (
            f"{path_of(cls)} has {', '.join(fields)}, but is not a dataclass, so these are not fields: put "
            "@dataclass(frozen=True) on it."
        )


def _fields_of(cls: type) -> list[str]:
    annotations = get_annotations(cls, format=Format.FORWARDREF)
    return [name for name, annotation in annotations.items() if "ClassVar" not in str(annotation)]


def is_base(cls: type) -> bool:
    """Whether this class has subclasses, or is meant to have them."""
    return (
        ABC in cls.__bases__
        or bool(cls.__subclasses__())
        or any(getattr(member, "__isabstractmethod__", False) for member in vars(cls).values())
    )


def unbuildable(cls: Any) -> str | None:
    """Why a handler or behaviour cannot be built, as far as that is known without the container."""
    if isabstract(cls):
        return f"{path_of(cls)} is abstract: implement {', '.join(sorted(cls.__abstractmethods__))}."
    try:
        get_type_hints(cls.__init__)
    except NameError as error:
        return (
            f"{path_of(cls)} has a dependency that cannot be resolved, {error.name}: import it in that module, "
            "and not under TYPE_CHECKING, because the container reads annotations at run time."
        )
    return None


def is_message(cls: type[Any]) -> bool:
    """Whether this is the class of a command or query, and no base of such classes."""
    is_base = ABC in cls.__bases__ or isabstract(cls) or (not is_dataclass(cls) and bool(cls.__subclasses__()))
    return not is_base and issubclass(cls, (ICommand, IQuery))
