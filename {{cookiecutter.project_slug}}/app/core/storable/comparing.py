"""The walk that finds classes whose values may be the same JSON, by which messages are compared."""

from collections.abc import Set
from dataclasses import fields
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json

from app.core.storable.forms import Form, Schema, alike
from app.core.storable.walk import NO_VALUES, Walk


class Comparing(Walk):
    """Collects classes that JSON does not tell apart, such as `Percent | Absolute` with the same fields.

    A message is compared and never read, so all that is lost in reading is of no account here; nor are values of other
    types, such as `UUID | str`: where their JSON is the same, they mean the same.
    """

    def visit(self, schema: Schema, where: str, known: Set[Any] = frozenset()) -> None:
        """Collect the confusions of this part of the type."""
        if schema["type"] != "any" and schema["type"] not in NO_VALUES:
            super().visit(schema, where, known)

    def _visit_field(self, cls: type, name: str, field: Schema) -> None:
        self.visit(field["schema"], f"{cls.__name__}.{name}")

    def _visit_dict(self, schema: Schema, where: str) -> None:
        self._visit_parts(schema, where)

    def _visit_enum(self, schema: Schema, where: str) -> None:
        cls = schema["cls"]
        if len({to_json(member, bytes_mode="hex", inf_nan_mode="strings", fallback=repr) for member in cls}) < len(cls):
            self._lose(where, "has members that JSON does not tell apart: give them other values")

    def _alike(self, one: Form, other: Form) -> bool:
        if one.fields is None or other.fields is None:
            return False
        return one.written <= other.fields.keys() and other.written <= one.fields.keys() and alike(one, other)

    def _may_be_taken_for(self, derived: type[Any], cls: type[Any]) -> bool:
        return _names(derived) == _names(cls)


def _names(cls: type[Any]) -> set[str]:
    return set(cls.model_fields) if issubclass(cls, BaseModel) else {field.name for field in fields(cls)}
