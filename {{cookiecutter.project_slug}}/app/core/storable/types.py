"""Finds types that JSON storage would change: events, cached answers and replayed answers are stored as JSON.

pydantic serialises and validates a value by its declared type. Information that is missing in the declaration is lost
silently. `losses` finds such declarations before anything is stored with them; `storable_values` checks each value.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import combinations
from typing import Any

from pydantic import PydanticUserError, SecretBytes, SecretStr, TypeAdapter
from pydantic_core import PydanticSerializationError, ValidationError

from app.core.generics import parts_of, resolved
from app.core.storable.forms import SAFE_TEXTS, Forms, Schema, alike, choices_of, fields_of, has_fields

NO_VALUES = {"is-instance", "is-subclass", "callable", "arguments", "call"}
"""Types that pydantic passes through unchanged, and that JSON cannot represent."""

KEYS = {"str", "int", "float", "bool", "decimal", "values"} | SAFE_TEXTS
"""Types that can be restored from their text alone, as the key of a JSON object."""

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
    walk = _Walk(schema, refuses_bases=is_event)
    walk.visit(walk.root, name, known={declared})
    never = [f"{name} holds a {part.__name__}, which {why}." for part, why in NEVER.items() if _holds(declared, part)]
    return list(dict.fromkeys(never + walk.found))


def shown(declared: Any) -> str:
    """The name of a type, for error messages."""
    return (
        declared.__qualname__ if isinstance(declared, type) and not hasattr(declared, "__origin__") else str(declared)
    )


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


class _Walk:
    """Visits the schema of a type recursively, and collects its losses."""

    def __init__(self, schema: Schema, refuses_bases: bool) -> None:
        self.root = schema["schema"] if schema["type"] == "definitions" else schema
        self._definitions = {one["ref"]: one for one in schema.get("definitions", ())}
        self._forms = Forms(self._definitions)
        self._refuses_bases = refuses_bases
        self._seen: set[str] = set()
        self.found: list[str] = []

    def visit(self, schema: Schema, where: str, known: set[Any] | None = None) -> None:
        """Collect the losses of this part of the type; `known` classes may have subclasses."""
        known = known or set()
        match schema["type"]:
            case "definition-ref":
                if schema["schema_ref"] not in self._seen:
                    self._seen.add(schema["schema_ref"])
                    self.visit(self._definitions[schema["schema_ref"]], where, known)
            case "any":
                self._lose(
                    where,
                    "may hold anything, and JSON would not say what it was: declare its type, or pydantic's JsonValue "
                    "for what is JSON already",
                )
            case kind if kind in NO_VALUES:
                self._lose(
                    where, f"holds a {shown(schema.get('cls', 'function'))}, which JSON cannot hold: store values"
                )
            case "json-or-python":
                if schema["json_schema"]["type"] != "any":  # "any" here is JsonValue, which loses nothing
                    self.visit(schema["json_schema"], where, known)
            case "lax-or-strict":
                self.visit(schema["lax_schema"], where, known)
            case "union" | "tagged-union":
                self._visit_union(schema, where)
            case "enum":
                self._visit_enum(schema, where)
            case "dataclass" | "model" | "typed-dict" | "named-tuple":
                self._visit_class(schema, where, known)
            case "dict":
                self._visit_keys(schema, where)
                self._visit_parts(schema, where)
            case _:
                self._visit_parts(schema, where, known)

    def _lose(self, where: str, reason: str) -> None:
        self.found.append(f"{where} {reason}.")

    def _visit_parts(self, schema: Schema, where: str, known: set[Any] | None = None) -> None:
        for part in _parts(schema):
            self.visit(part, where, known)

    def _visit_class(self, schema: Schema, where: str, known: set[Any]) -> None:
        cls = schema["cls"]
        is_base = self._refuses_bases and schema["type"] in ("dataclass", "model") and cls not in known
        if is_base and (derived := _subclasses(cls, known)):
            self._lose(
                where,
                f"is declared as {cls.__name__}, and would be stored as that where it is a {' or a '.join(derived)}: "
                "declare the union of the classes that are meant, each with a field such as "
                f'kind: Literal["{derived[0].lower()}"]',
            )
        for name, field in fields_of(schema):
            self._visit_field(cls, name, field)
        if schema["type"] == "model" and not has_fields(schema):
            self.visit(schema["schema"], where)

    def _visit_field(self, cls: type, name: str, field: Schema) -> None:
        where = f"{cls.__name__}.{name}"
        if field.get("serialization_exclude"):
            self._lose(where, "is excluded, so it would not be stored: let it in, or leave the field out")
        elif field.get("init_only"):
            self._lose(where, "is an InitVar, which is not stored: make it a field")
        elif field.get("init") is False and "default_factory" in field["schema"] and not hasattr(cls, "__post_init__"):
            self._lose(
                where, "has init=False and a default_factory, so it would be another one each time: let it be given"
            )
        else:
            self.visit(field["schema"], where)

    def _visit_union(self, schema: Schema, where: str) -> None:
        choices = [choice[0] if isinstance(choice, tuple) else choice for choice in choices_of(schema)]
        forms = [form for choice in choices for form in self._forms.of(choice)]
        known = {cls for choice in choices if (cls := self._forms.resolved(choice).get("cls")) is not None}
        if schema["type"] == "union":
            for one, other in combinations(forms, 2):
                if alike(one, other):
                    self._lose(
                        where,
                        f"may be {one.name} or {other.name}, which JSON does not tell apart: declare one of them, or "
                        'classes that each have a field such as kind: Literal["..."]',
                    )
                    break
        for choice in choices:
            self.visit(choice, where, known)

    def _visit_keys(self, schema: Schema, where: str) -> None:
        keys = schema.get("keys_schema")
        forms = [] if keys is None else self._forms.of(keys)
        if len(forms) != 1 or forms[0].kind not in KEYS:
            names = " or ".join(form.name for form in forms) or "anything"
            self._lose(where, f"has keys that are {names}, but those of JSON are text: hold a tuple of pairs")

    def _visit_enum(self, schema: Schema, where: str) -> None:
        cls = schema["cls"]
        adapter: TypeAdapter[Any] = TypeAdapter(cls)
        for member in cls:
            try:
                if adapter.validate_python(adapter.dump_python(member, mode="json")) is member:
                    continue
            except (ValidationError, PydanticSerializationError):
                pass
            self._lose(where, f"may be {member}, whose value JSON cannot tell: give it one that is a text or a number")
            return


def _parts(schema: Schema) -> Iterator[Schema]:
    """The schemas that a schema contains directly."""
    for name in ("schema", "items_schema", "values_schema", "keys_schema", "extras_schema"):
        part = schema.get(name)
        yield from part if isinstance(part, list) else [part] if isinstance(part, dict) else []
    yield from schema.get("steps", ())


def _subclasses(cls: type, known: set[Any]) -> list[str]:
    """The names of all subclasses that are not `known`; parametrised versions of a generic class do not count."""
    found: dict[str, None] = {}
    derived: list[type[Any]] = cls.__subclasses__()
    for sub in derived:
        generic = getattr(sub, "__pydantic_generic_metadata__", {}).get("origin")
        if generic is not cls and sub not in known:
            found[sub.__name__] = None
        found |= dict.fromkeys(_subclasses(sub, known))
    return list(found)
