"""Resolves generic type arguments, such as the `UUID` of `class CreateUser(ICommand[UUID])`."""

import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, ForwardRef, TypeVar, get_args, get_origin, get_type_hints

from typing_extensions import evaluate_forward_ref


def type_arguments(cls: type, base: type) -> tuple[Any, ...]:
    """The arguments that `cls` gives to its generic `base`, also through intermediate classes; () if none."""
    for written in getattr(cls, "__orig_bases__", ()):
        origin = get_origin(written) or written
        given = tuple(resolved(argument, cls) for argument in get_args(written))
        if origin is base:
            return given
        if isinstance(origin, type) and issubclass(origin, base):
            parameters = getattr(origin, "__parameters__", ())
            known = dict(zip(parameters, given, strict=False))
            return tuple(_filled(argument, known) for argument in type_arguments(origin, base))
    for parent in cls.__bases__:
        if parent is not base and issubclass(parent, base) and "__orig_bases__" not in cls.__dict__:
            return type_arguments(parent, base)
    return ()


def type_argument(cls: type, base: type) -> Any:
    """The first of `type_arguments`; Any if there is none."""
    return next(iter(type_arguments(cls, base)), Any)


def resolved(argument: Any, cls: type) -> Any:
    """Resolve a quoted name in the module of the class; other arguments are returned unchanged.

    Raises:
        NameError: if the module does not define the name, or only for type checkers.
    """
    if isinstance(argument, str):
        argument = ForwardRef(argument)
    if isinstance(argument, ForwardRef):
        return evaluate_forward_ref(argument, globals=vars(sys.modules[cls.__module__]))
    return argument


def _filled(argument: Any, known: dict[Any, Any]) -> Any:
    """The argument with its type variables replaced by their `known` types, or by Any."""
    if isinstance(argument, TypeVar):
        return known.get(argument, Any)
    parameters = getattr(argument, "__parameters__", ())
    if parameters and not isinstance(argument, type):
        return argument[tuple(known.get(parameter, Any) for parameter in parameters)]
    return argument


def parts_of(annotation: Any) -> Iterator[type]:
    """The classes that a type is made of, recursively: itself, its type arguments, and the types of its fields."""
    seen: list[Any] = []
    waiting = [annotation]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.append(one)
        waiting += get_args(one)
        cls = get_origin(one) or one
        if isinstance(cls, type):
            yield cls
            if is_dataclass(cls) or hasattr(cls, "model_fields"):
                waiting += _hints(cls).values()


def _hints(cls: type) -> dict[str, Any]:
    """The annotations of a class; empty if one of them names something undefined."""
    try:
        return get_type_hints(cls)
    except NameError:
        return {}


def shown(annotation: Any) -> str:
    """A type as it is written in code, for error messages."""
    return annotation.__qualname__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)


def path_of(cls: type) -> str:
    """The full name of a class, with its module."""
    return f"{cls.__module__}.{cls.__qualname__}"
