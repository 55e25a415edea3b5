"""The walk through pydantic's schema of a type, which finds the parts that JSON storage would change."""

from collections.abc import Iterator, Set
from itertools import combinations
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, ValidationError

from app.core.generics import shown
from app.core.storable.forms import SAFE_TEXTS, Form, Forms, Schema, alike, choices_of, fields_of, has_fields

NO_VALUES = {"is-instance", "is-subclass", "callable", "arguments", "call"}
"""Types that pydantic passes through unchanged, and that JSON cannot represent."""

KEYS = {"str", "int", "float", "bool", "decimal", "values"} | SAFE_TEXTS
"""Types that can be restored from their text alone, as the key of a JSON object."""

ANYTHING = (
    "may hold anything, and JSON would not say what it was: declare its type, or pydantic's JsonValue for what is JSON "
    "already"
)


class Walk:
    """Visits the schema of a type recursively, and collects its losses."""

    def __init__(self, schema: Schema, refuses_bases: bool) -> None:
        self.root = schema["schema"] if schema["type"] == "definitions" else schema
        self._definitions = {one["ref"]: one for one in schema.get("definitions", ())}
        self._forms = Forms(self._definitions)
        self._refuses_bases = refuses_bases
        self._seen: set[str] = set()
        self.found: list[str] = []

    def visit(self, schema: Schema, where: str, known: Set[Any] = frozenset()) -> None:
        """Collect the losses of this part of the type; `known` classes may have subclasses."""
        match schema["type"]:
            case "definition-ref":
                self._visit_definition(schema["schema_ref"], where, known)
            case "any":
                self._lose(where, ANYTHING)
            case kind if kind in NO_VALUES:
                named = shown(schema.get("cls", "function"))
                self._lose(where, f"holds a {named}, which JSON cannot hold: store values")
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
                self._visit_dict(schema, where)
            case _:
                self._visit_parts(schema, where, known)

    def _visit_definition(self, reference: str, where: str, known: Set[Any]) -> None:
        if reference not in self._seen:
            self._seen.add(reference)
            self.visit(self._definitions[reference], where, known)

    def _lose(self, where: str, reason: str) -> None:
        self.found.append(f"{where} {reason}.")

    def _visit_parts(self, schema: Schema, where: str, known: Set[Any] = frozenset()) -> None:
        for part in _parts(schema):
            self.visit(part, where, known)

    def _visit_class(self, schema: Schema, where: str, known: Set[Any]) -> None:
        cls = schema["cls"]
        is_base = self._refuses_bases and schema["type"] in ("dataclass", "model") and cls not in known
        derived = (
            [sub.__name__ for sub in _subclasses(cls, known) if self._may_be_taken_for(sub, cls)] if is_base else []
        )
        if derived := list(dict.fromkeys(derived)):
            self._lose(
                where,
                f"is declared as {cls.__name__}, and JSON would not say where it is a {' or a '.join(derived)}: "
                "declare the union of the classes that are meant, each with a field such as "
                f'kind: Literal["{derived[0].lower()}"]',
            )
        for name, field in fields_of(schema):
            self._visit_field(cls, name, field)
        if schema["type"] == "model" and not has_fields(schema):
            self.visit(schema["schema"], where)

    def _may_be_taken_for(self, derived: type[Any], cls: type[Any]) -> bool:
        return True

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
        choices = choices_of(schema)
        forms = [form for choice in choices for form in self._forms.of(choice)]
        known = {cls for choice in choices if (cls := self._forms.resolved(choice).get("cls")) is not None}
        if schema["type"] == "union":
            for one, other in combinations(forms, 2):
                if self._alike(one, other):
                    self._lose(
                        where,
                        f"may be {one.name} or {other.name}, which JSON does not tell apart: declare one of them, or "
                        'classes that each have a field such as kind: Literal["..."]',
                    )
                    break
        for choice in choices:
            self.visit(choice, where, known)

    def _alike(self, one: Form, other: Form) -> bool:
        return alike(one, other)

    def _visit_dict(self, schema: Schema, where: str) -> None:
        keys = schema.get("keys_schema")
        forms = [] if keys is None else self._forms.of(keys)
        if len(forms) != 1 or forms[0].kind not in KEYS:
            names = " or ".join(form.name for form in forms) or "anything"
            self._lose(where, f"has keys that are {names}, but those of JSON are text: hold a tuple of pairs")
        self._visit_parts(schema, where)

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


def _subclasses(cls: type[Any], known: Set[Any]) -> Iterator[type[Any]]:
    """All subclasses that are not `known`; parametrised versions of a generic class do not count."""
    for sub in cls.__subclasses__():
        generic = getattr(sub, "__pydantic_generic_metadata__", {}).get("origin")
        if generic is not cls and sub not in known:
            yield sub
        yield from _subclasses(sub, known)
