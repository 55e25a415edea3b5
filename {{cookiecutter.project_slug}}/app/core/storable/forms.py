"""The forms that a type may have in JSON, to tell whether JSON distinguishes the types of a union."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

Schema = Mapping[str, Any]
"""pydantic's core schema of a type, as defined in `pydantic_core.core_schema`."""

SAFE_TEXTS = {"uuid", "date", "time", "datetime", "timedelta", "url", "multi-host-url"}
"""Types that are serialised as text which cannot be mistaken for a number."""

MOMENTS = SAFE_TEXTS - {"uuid", "url", "multi-host-url"}
ARRAYS = {"list", "set", "frozenset", "tuple", "named-tuple", "generator"}


class Form(NamedTuple):
    """The form of a type in JSON: its kind, and the features that distinguish it from others of that kind."""

    kind: str
    name: str
    values: frozenset[Any] = frozenset()
    fields: Mapping[str, Schema] | None = None
    required: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    """The fields that each value has."""


class Forms:
    """The forms of the parts of one type.

    Args:
        definitions: the schemas that others refer to, by reference.
    """

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def resolved(self, schema: Schema) -> Schema:
        """Unwrap a schema: follow references, and remove defaults, validators and the like."""
        while True:
            match schema["type"]:
                case "definition-ref":
                    schema = self._definitions[schema["schema_ref"]]
                case "lax-or-strict":
                    schema = schema["lax_schema"]
                case "json-or-python":
                    schema = schema["json_schema"]
                case "default" | "function-after" | "function-before" | "function-wrap" | "custom-error":
                    schema = schema["schema"]
                case "chain":
                    schema = schema["steps"][-1]
                case "model" if not has_fields(schema):
                    schema = schema["schema"]
                case _:
                    return schema

    def of(self, schema: Schema) -> list[Form]:
        """The forms that a part may have in JSON."""
        schema = self.resolved(schema)
        match schema["type"]:
            case "union" | "tagged-union":
                return [form for choice in choices_of(schema) for form in self.of(choice)]
            case "nullable":
                return [Form("none", "None"), *self.of(schema["schema"])]
        return [_form(schema)]


def _form(schema: Schema) -> Form:
    """The form of a type that is neither a union nor optional."""
    match schema["type"]:
        case "literal":
            values = frozenset(one.value if isinstance(one, Enum) else one for one in schema["expected"])
            return Form("values", f"Literal{sorted(values, key=repr)}", values)
        case "enum":
            return Form("values", schema["cls"].__name__, frozenset(_hashable(one.value) for one in schema["cls"]))
        case "dataclass" | "model" | "typed-dict":
            own = dict(fields_of(schema))
            required = frozenset(name for name, field in own.items() if _is_required(field))
            written = required if schema["type"] == "typed-dict" else frozenset(own)
            return Form("object", schema["cls"].__name__, fields=own, required=required, written=written)
        case "named-tuple":
            return Form("array", schema["cls"].__name__)
        case "dict":
            return Form("object", "dict")
        case "none":
            return Form("none", "None")
        case kind:
            return Form("array" if kind in ARRAYS else kind, kind)


def choices_of(schema: Schema) -> list[Schema]:
    """The schemas of a union, without the labels that some have."""
    choices = schema["choices"]
    every = choices.values() if isinstance(choices, dict) else choices
    return [choice[0] if isinstance(choice, tuple) else choice for choice in every]


def has_fields(schema: Schema) -> bool:
    return not schema.get("root_model")


def fields_of(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The fields of a class, each with its name."""
    inner = schema
    while "fields" not in inner or inner["type"] == "dataclass":
        if "schema" not in inner:
            return
        inner = inner["schema"]
    found = inner["fields"]
    yield from found.items() if isinstance(found, dict) else ((field["name"], field) for field in found)


def _is_required(field: Schema) -> bool:
    return bool(field.get("required", True)) and field["schema"]["type"] != "default"


def _hashable(value: Any) -> Any:
    return value if value.__hash__ is not None else repr(value)


def alike(one: Form, other: Form) -> bool:
    """Whether a value of one form may be read as a value of the other."""
    kinds = {one.kind, other.kind}
    if one.kind == other.kind:
        return one.kind != "none" and _alike_in_kind(one, other)
    if "none" in kinds or kinds & {"array", "object"}:
        return "any" in kinds
    if "values" in kinds:
        values, rest = (one, other) if one.kind == "values" else (other, one)
        return any(_may_be(value, rest.kind) for value in values.values)
    if kinds <= {"bool", "int", "float", "str"}:
        return kinds == {"int", "float"}  # PostgreSQL does not distinguish 1e300 from an integer
    if kinds & {"bool", "int", "float"}:
        return not kinds & SAFE_TEXTS
    return not ("uuid" in kinds and kinds & MOMENTS)


def _alike_in_kind(one: Form, other: Form) -> bool:
    if one.kind == "values":
        return bool(one.values & other.values)
    if one.kind != "object":
        return one.kind in ("array", "any")
    if one.fields is None or other.fields is None:
        return True
    for name in one.fields.keys() & other.fields.keys():
        mine, theirs = _constants(one.fields[name]), _constants(other.fields[name])
        if mine and theirs and not mine & theirs:
            return False
    return one.required <= other.fields.keys() or other.required <= one.fields.keys()


def _constants(field: Schema) -> frozenset[Any]:
    """The values of a `Literal` field that cannot be None; empty for any other field."""
    schema = field["schema"]
    while schema["type"] in ("default", "nullable"):
        if schema["type"] == "nullable":
            return frozenset()
        schema = schema["schema"]
    return frozenset(schema["expected"]) if schema["type"] == "literal" else frozenset()


def _may_be(value: Any, kind: str) -> bool:
    """Whether a constant may be read as a value of this kind."""
    match value:
        case bool():
            return kind == "bool"
        case int() | float():
            return kind in ("int", "float")
        case _:
            return kind not in ("int", "float", "bool") or not str(value).isalpha()
