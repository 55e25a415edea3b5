"""Messages and answers as JSON: canonical where it is compared, of the declared type where it is read again."""

import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from app.core.cqrs.results import OperationResult, Outcome
from app.core.cqrs.status import OperationStatus


def canonical_json(message: Any, names: tuple[str, ...] | None = None) -> bytes:
    """The fields of a message as JSON that is equal for equal values, in every process."""
    chosen = names if names is not None else tuple(field.name for field in fields(message))
    values = {name: _ordered(getattr(message, name)) for name in chosen}
    plain = to_jsonable_python(values, inf_nan_mode="strings", bytes_mode="hex")
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def _ordered(value: Any) -> Any:
    """The value with an order for its sets, which have another one in each process."""
    if isinstance(value, (set, frozenset)):
        return sorted((_ordered(item) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_ordered(item) for item in value]
    if isinstance(value, dict):
        return {key: _ordered(item) for key, item in value.items()}
    if isinstance(value, BaseModel):
        return _ordered(dict(value))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _ordered(getattr(value, field.name)) for field in fields(value)}
    return value


class AnswerCodec:
    """Stores answers of one declared type: the data, the status and what goes with it."""

    def __init__(self, answer_type: Any) -> None:
        self._data: TypeAdapter[Any] = TypeAdapter(answer_type)

    @property
    def keeps_order(self) -> bool:
        """Whether equal answers are written alike in every process; a set has another order in each."""
        return not _holds_set(self._data.core_schema)

    def write(self, result: OperationResult[Any]) -> bytes:
        """The stored form of a result.

        Raises:
            ValueError: the data is not of the declared type, and would not come back as it went.
        """
        outcome = result._outcome
        head = to_jsonable_python([outcome.status, outcome.affected_entities, outcome.pagination])
        data = self._data.dump_json(result._data, by_alias=False, round_trip=True, warnings="error")
        return json.dumps(head).encode() + b"\n" + data

    def read(self, stored: bytes, result_type: type[OperationResult[Any]], message: Any) -> OperationResult[Any]:
        """The result as it was written.

        Raises:
            ValueError: what is stored is not an answer of this type, or not any more.
        """
        head, data = stored.split(b"\n", 1)
        parts = json.loads(head)
        if not isinstance(parts, list):
            raise ValueError("There is no status in front of the data.")  # it is as it says above
        status, affected, pagination = parts
        outcome = Outcome(OperationStatus(status), affected_entities=affected, pagination=pagination)
        return result_type.of(self._data.validate_json(data, by_alias=False, by_name=True), message, outcome)


def _holds_set(schema: Any) -> bool:
    """Whether there is a set anywhere in pydantic's schema of a type."""
    if isinstance(schema, dict):
        return schema.get("type") in ("set", "frozenset") or any(map(_holds_set, schema.values()))
    return isinstance(schema, (list, tuple)) and any(map(_holds_set, schema))


@cache
def answer_codec(answer_type: Any) -> AnswerCodec:
    """The codec of a type, made once."""
    return AnswerCodec(answer_type)
