"""Finds types that JSON storage would change: events, cached answers and replayed answers are stored as JSON.

It also finds the fields of messages that hold classes which JSON does not tell apart: messages are compared by it.

pydantic serialises and validates a value by its declared type. Information that is missing in the declaration is lost
silently. `losses` finds such declarations before anything is stored with them; `storable.values` checks each value.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from pydantic import PydanticUserError, Secret, SecretBytes, SecretStr, TypeAdapter

from app.core.generics import parts_of, resolved, shown
from app.core.storable.comparing import Comparing
from app.core.storable.forms import Schema
from app.core.storable.walk import Walk

NEVER: Mapping[type, str] = {
    Secret: "is a secret, and only asterisks would be stored of it",
    SecretStr: "is a secret, and only asterisks would be stored of it",
    SecretBytes: "is a secret, and only asterisks would be stored of it",
    OrderedDict: "has an order of its keys, which databases do not keep: declare a tuple of pairs",
}

UNKNOWN = (PydanticUserError, NameError, TypeError)
"""What pydantic raises for a type that it has no schema for."""


def losses(declared: Any, *, is_event: bool = False) -> list[str]:
    """Describe the losses of a type in a JSON round trip, in one sentence for each field.

    Args:
        declared: the type, or the class of an event.
        is_event: whether to refuse a field that is declared as a base class, too. Views often derive from each other
            without being substitutes for each other, so answers are only checked value by value.
    """
    name = shown(declared)
    try:
        walk = Walk(_schema_of(declared), refuses_bases=is_event)
    except UNKNOWN as error:
        return [_without_schema(declared, error)]
    walk.visit(walk.root, name, known={declared})
    parts = list(parts_of(declared))
    never = [
        f"{name} holds a {kind.__name__}, which {why}."
        for kind, why in NEVER.items()
        if any(issubclass(part, kind) for part in parts)
    ]
    return list(dict.fromkeys(never + walk.found))


def confusions(message_type: type[Any], names: Iterable[str] | None = None) -> list[str]:
    """Describe the fields of a message that hold classes which `canonical_json` may write alike, in one sentence each.

    Args:
        message_type: the class of the message.
        names: the fields and properties that are written; None: all fields.
    """
    found: list[str] = []
    if names is None:
        names = [field.name for field in fields(message_type)] if is_dataclass(message_type) else []
    for name in names:
        try:
            walk = Comparing(_schema_of(_declared(message_type, name)), refuses_bases=True)
        except UNKNOWN:  # what pydantic does not know is compared as it is
            continue
        walk.visit(walk.root, f"{message_type.__name__}.{name}")
        found += walk.found
    return list(dict.fromkeys(found))


def _declared(message_type: Any, name: str) -> Any:
    """The type of a field, or of what a property returns."""
    member = getattr(message_type, name, None)
    if isinstance(member, property):
        return get_type_hints(member.fget, include_extras=True).get("return", Any)
    field = message_type.__dataclass_fields__[name]
    owners = [cls for cls in message_type.__mro__ if vars(cls).get("__dataclass_fields__", {}).get(name) is field]
    return resolved(field.type, owners[-1])


def _schema_of(declared: Any) -> Schema:
    adapter: TypeAdapter[Any] = TypeAdapter(declared)
    if not adapter.pydantic_complete:
        adapter.rebuild(raise_errors=True)
    return adapter.core_schema


def _without_schema(declared: Any, error: Exception) -> str:
    """Explain why pydantic has no schema for a type, with the field that causes it, if there is one."""
    where = shown(declared)
    for field in fields(declared) if isinstance(declared, type) and is_dataclass(declared) else ():
        try:
            TypeAdapter(resolved(field.type, declared))
        except UNKNOWN as culprit:
            where, error = f"{where}.{field.name}", culprit
            break
    reason = str(error).partition("\n")[0].partition(". Set ")[0].rstrip(".")
    if isinstance(error, NameError):
        reason = f"{error.name or error} is not defined"
    return f"{where} cannot be stored: {reason}. Hold ids and plain values, whose types are imported at run time."
