"""Serialises the fields of a message to canonical JSON, to compare messages and to name them in keys."""

import json
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode  # `json.dumps` makes one on each call


def canonical_json(message: Any, names: tuple[str, ...] | None = None) -> bytes:
    """The fields of a message as canonical JSON, which is equal for equal values in every process.

    It contains the values of secrets: store and log only a hash of it.
    """
    chosen = sorted(names) if names is not None else _names_in(message.__class__)
    return _written({name: getattr(message, name) for name in chosen})


def given_names(message: Any) -> tuple[str, ...]:
    """The fields whose values are not their defaults: a new field with a default does not change a repeated message."""
    defaults = _defaults_of(message.__class__)
    return tuple(
        name
        for name in _names_in(message.__class__)
        if name not in defaults or _written({name: getattr(message, name)}) != defaults[name]
    )


def _written(values: dict[str, Any]) -> bytes:
    if PLAIN_TYPES.issuperset(map(type, values.values())):
        try:
            return to_json(values, ensure_ascii=True)
        except PydanticSerializationError:  # a lone surrogate
            return _canonical(values).encode()
    ordered = {name: _ordered(value) for name, value in values.items()}
    return _canonical(to_jsonable_python(ordered, inf_nan_mode="strings", bytes_mode="hex")).encode()


PLAIN_TYPES = frozenset({type(None), bool, int, str})
"""Types that JSON represents directly. Most messages only have these, and are written in a sixth of the time."""


@cache
def _names_in(message_type: type[Any]) -> tuple[str, ...]:
    return tuple(sorted(field.name for field in fields(message_type)))


@cache
def _defaults_of(message_type: type[Any]) -> dict[str, bytes]:
    # Only a class makes the same default each time: a function may return a new id.
    defaults = {
        field.name: made_by() if isinstance(made_by := field.default_factory, type) else field.default
        for field in fields(message_type)
    }
    return {name: _written({name: value}) for name, value in defaults.items() if value is not MISSING}


def _ordered(value: Any) -> Any:
    """Sort the sets in a value, because their order differs between processes, and disclose its secrets."""
    if isinstance(value, (set, frozenset)):
        return sorted((_ordered(item) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_ordered(item) for item in value]
    if isinstance(value, dict):
        return {key: _ordered(item) for key, item in value.items()}
    if isinstance(value, (Secret, SecretStr, SecretBytes)):
        return _ordered(value.get_secret_value())
    if isinstance(value, BaseModel):
        return _ordered(dict(value))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _ordered(getattr(value, field.name)) for field in fields(value)}
    return value
