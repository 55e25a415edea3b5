"""Compares a value with its stored and reloaded copy: both must be equal, and of the same types throughout."""

from collections.abc import Iterable, Set
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError

PLAIN = frozenset({str, int, bool, float, type(None), UUID, Decimal, date, time, timedelta, bytes})
"""Types whose values are the same if they are equal."""


def difference(told: Any, kept: Any, where: str = "") -> str | None:
    """The path of the first difference between a value and its reloaded copy, as `.lines[0].price`, or None.

    A value whose class derives from a plain type, such as a `StrEnum` in a text field, may come back as the plain type.
    An integer in a float field may come back as a float. `where` is the path of the value itself.
    """
    kind = kept.__class__
    if told.__class__ is not kind:
        return None if _stands_for(told, kept, kind) else where
    if kind in PLAIN:
        return None if _equal(told, kept) else where
    if kind is datetime:
        return None if _same_moment(told, kept) else where
    if isinstance(kept, (list, tuple)):
        return _between_items(told, kept, where)
    if isinstance(kept, dict):
        return _between_dicts(told, kept, where)
    if isinstance(kept, (set, frozenset)):
        return _between_members(told, kept, where)
    if (names := _names(kind)) is not None:
        return _between_fields(told, kept, names, where)
    return None if told is kept or _equal(told, kept) else where


def _between_fields(told: Any, kept: Any, names: tuple[str, ...], where: str) -> str | None:
    for name in names:
        one, other = getattr(told, name, None), getattr(kept, name, None)
        if one.__class__ is other.__class__ and other.__class__ in PLAIN and _equal(one, other):
            continue  # the common case, which needs no path
        if (found := difference(one, other, f"{where}.{name}")) is not None:
            return found
    return None


def _stands_for(told: Any, kept: Any, kind: type) -> bool:
    """Whether a value of another class is equivalent to the plain value that came back."""
    if kind not in PLAIN and kind is not datetime:
        return False
    is_number = kind is float and told.__class__ is int
    is_derived = isinstance(told, kind) and told.__class__ is not bool
    return (is_number or is_derived) and (_same_moment if kind is datetime else _equal)(told, kept)


def _equal(told: Any, kept: Any) -> bool:
    try:
        return bool(told == kept)
    except Exception:  # Decimal("sNaN"), or a class with a failing `__eq__`
        return False


def _same_moment(told: datetime, kept: datetime) -> bool:
    """Compare in UTC, too: Python calls a time in a DST overlap unequal to any time of another time zone."""
    if told.tzinfo is None or kept.tzinfo is None:
        return told.tzinfo is kept.tzinfo and told == kept
    return told == kept or told.astimezone(UTC) == kept.astimezone(UTC)


def _between_items(told: Any, kept: Any, where: str) -> str | None:
    if len(told) != len(kept):
        return where
    pairs = enumerate(zip(told, kept, strict=True))
    return _first(difference(one, other, f"{where}[{at}]") for at, (one, other) in pairs)


def _between_dicts(told: Any, kept: Any, where: str) -> str | None:
    if (found := _between_members(told.keys(), kept.keys(), where)) is not None:
        return found
    return _first(difference(value, kept[key], f"{where}[...]") for key, value in told.items())  # keys are data, too


def _between_members(told: Set[Any], kept: Set[Any], where: str) -> str | None:
    if len(told) != len(kept):
        return where
    members = {member: member for member in kept}
    return _first(where if one not in members else difference(one, members[one], where) for one in told)


def _first(differences: Iterable[str | None]) -> str | None:
    return next((one for one in differences if one is not None), None)


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    """The attributes that make up an object; None if the class is neither a dataclass nor a pydantic model."""
    if is_dataclass(kind):
        return tuple(field.name for field in fields(kind))
    if issubclass(kind, BaseModel):
        return (*kind.model_fields, "__pydantic_extra__", "__pydantic_private__")
    return None


def blamed(error: ValidationError) -> str:
    """The paths of the first three invalid parts of a value, without the value itself."""
    places = error.errors(include_input=False, include_url=False, include_context=False)
    return ", ".join("".join(f".{part}" for part in place["loc"]) for place in places[:3])
