"""The walk that finds which different values of a type may be the same JSON."""

from pydantic_core import to_json

from app.core.storable.forms import SAFE_TEXTS, Form, Schema, alike
from app.core.storable.walk import Walk

NUMBERS = {"bool", "int", "float", "decimal"}
"""Types whose values differ in JSON: 1, 1.0 and "1"."""


class Comparing(Walk):
    """Collects only what makes different values the same JSON: it is compared, and never read."""

    def _visit_field(self, cls: type, name: str, field: Schema) -> None:
        self.visit(field["schema"], f"{cls.__name__}.{name}")

    def _visit_enum(self, schema: Schema, where: str) -> None:
        cls = schema["cls"]
        if len({to_json(member, bytes_mode="hex", inf_nan_mode="strings", fallback=repr) for member in cls}) < len(cls):
            self._lose(where, "has members that JSON does not tell apart: give them other values")

    def _alike(self, one: Form, other: Form) -> bool:
        kinds = {one.kind, other.kind}
        if kinds <= NUMBERS:
            return False
        if "values" in kinds and kinds & SAFE_TEXTS:  # "me" is no UUID
            return not all(str(value).isalpha() for value in one.values | other.values)
        if one.fields is not None and other.fields is not None:
            always = one.written <= other.fields.keys() and other.written <= one.fields.keys()
            return always and alike(one, other)
        return alike(one, other)
