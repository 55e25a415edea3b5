"""Finds types that JSON storage would change: events, cached answers and replayed answers are stored as JSON.

pydantic serialises and validates a value by its declared type. Information that is missing in the declaration is lost
silently. `losses` finds such declarations before anything is stored with them; `storable.values` checks each value.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import PydanticUserError, SecretBytes, SecretStr, TypeAdapter

from app.core.generics import parts_of, resolved
from app.core.storable.forms import shown
from app.core.storable.walk import Walk

NEVER: Mapping[type, str] = {
    SecretStr: "is a secret, and only asterisks would be stored of it",
    SecretBytes: "is a secret, and only asterisks would be stored of it",
    OrderedDict: "has an order of its keys, which databases do not keep: declare a tuple of pairs",
}


def losses(declared: Any, *, is_event: bool = False) -> list[str]:
    """Describe the losses of a type in a JSON round trip, in one sentence for each field.

    Args:
        declared: the type, or the class of an event.
        is_event: whether to refuse a field that is declared as a base class, too. Views often derive from each other
            without being substitutes for each other, so answers are only checked value by value.
    """
    name = shown(declared)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(declared)
        if not adapter.pydantic_complete:
            adapter.rebuild(raise_errors=True)
        schema = adapter.core_schema
    except (PydanticUserError, NameError, TypeError) as error:
        return [_without_schema(declared, error)]
    walk = Walk(schema, refuses_bases=is_event)
    walk.visit(walk.root, name, known={declared})
    never = [f"{name} holds a {part.__name__}, which {why}." for part, why in NEVER.items() if _holds(declared, part)]
    return list(dict.fromkeys(never + walk.found))


def _holds(declared: Any, part: type) -> bool:
    return any(issubclass(one, part) for one in parts_of(declared))


def _without_schema(declared: Any, error: Exception) -> str:
    """Explain why pydantic has no schema for a type, with the field that causes it, if there is one."""
    where = shown(declared)
    for field in fields(declared) if isinstance(declared, type) and is_dataclass(declared) else ():
        try:
            TypeAdapter(resolved(field.type, declared))
        except (PydanticUserError, NameError, TypeError) as culprit:
            where, error = f"{where}.{field.name}", culprit
            break
    reason = str(error).partition("\n")[0].partition(". Set ")[0].rstrip(".")
    if isinstance(error, NameError):
        reason = f"{error.name or error} is not defined"
    return f"{where} cannot be stored: {reason}. Hold ids and plain values, whose types are imported at run time."
