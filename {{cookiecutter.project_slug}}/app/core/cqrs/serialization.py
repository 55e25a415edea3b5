"""Serialises answers to JSON by their declared type, for the cache and for idempotency keys."""

import json
from collections.abc import Iterator
from functools import cache, cached_property, partial
from typing import Any
from zlib import crc32

import structlog
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import to_json, to_jsonable_python

from app.core.cqrs.errors import OperationStatus, UnstorableError
from app.core.cqrs.results import CacheInfo, Kept, OperationResult, Outcome, QueryResult
from app.core.generics import shown
from app.core.storable.values import blamed, difference

logger = structlog.get_logger(__name__)


class AnswerCodec:
    """Serialises answers of one declared type: the data, the status, affected entities and pagination; and failures."""

    def __init__(self, answer_type: Any) -> None:
        self._type = answer_type
        self._data: TypeAdapter[Any] = TypeAdapter(answer_type)

    @property
    def keeps_order(self) -> bool:
        """Whether equal answers are serialised alike in every process; the order of a set differs between them."""
        return not _holds_set(self._data.core_schema)

    def write(self, result: OperationResult[Any]) -> bytes:
        """Serialise a result; UnstorableError if its data would change. Details of a failure may change."""
        outcome = result._outcome
        head = to_jsonable_python([outcome.status, outcome.affected_entities, outcome.pagination])
        if result.is_failure:
            head += to_jsonable_python([outcome.error_message, outcome.errors], fallback=str)
            return json.dumps(head).encode() + b"\n"
        try:
            data = self._data.dump_json(result.data, by_alias=False, round_trip=True, warnings=False)
            changed = difference(result.data, self._read(data))
        except ValidationError as error:
            raise unstorable(self._type, blamed(error)) from None
        except (ValueError, TypeError):
            raise unstorable(self._type, "") from None
        if changed is not None:
            raise unstorable(self._type, changed)
        return json.dumps(head).encode() + b"\n" + data

    def read(self, stored: bytes, result_type: type[OperationResult[Any]], message: Any) -> OperationResult[Any]:
        """Deserialise a result.

        Raises:
            ValueError: if the stored bytes are not an answer of this type in its current shape.
        """
        outcome, data = _parted(stored)
        return result_type.of(self._read(data) if outcome.status.is_success else None, message, outcome)

    def keep(self, result: OperationResult[Any]) -> bytes:
        """Serialise a result as `write` does, with a checksum of the bytes and of the type (the seal)."""
        stored = self.write(result)
        _, data = stored.split(b"\n", 1)
        as_sent = b"=" if data == _sent(result.data) else b"-"
        return self._seal(stored) + as_sent + b"\n" + stored

    def kept(self, sealed: bytes, message: Any, info: CacheInfo | None = None) -> OperationResult[Any]:
        """Deserialise a cached result; a valid seal means that its data can be deserialised later, on first access,
        unless a validator depends on more than the value, such as the time.

        Raises:
            ValueError: if the seal does not match: the bytes are not from `keep`, or the type was another.
        """
        seal, stored = sealed.split(b"\n", 1)
        if seal[:-1] != self._seal(stored):
            raise ValueError("The seal is of something else.")
        outcome, data = _parted(stored, info)
        return QueryResult.of(
            Kept(data if seal[-1:] == b"=" else None, partial(self._opened, data, info)), message, outcome
        )

    def _opened(self, data: bytes, info: CacheInfo | None) -> Any:
        try:
            return self._read(data)
        except ValueError:  # a validator refuses today what it accepted when this was cached
            logger.warning("cache_entry_unreadable", key=info and info["key"])
            raise

    def _read(self, data: bytes) -> Any:
        return self._data.validate_json(data, by_alias=False, by_name=True)

    def _seal(self, stored: bytes) -> bytes:
        return b"%08x" % crc32(stored, self._shape)

    @cached_property
    def _shape(self) -> int:
        """A checksum of the type's JSON schemas and of its validators, which most likely differs for a changed type."""
        shape = [
            self._schema(mode="validation", by_alias=False),
            self._schema(mode="serialization", by_alias=True),  # of what callers are sent
            list(_functions(self._data.core_schema)),
        ]
        return crc32(json.dumps(shape, sort_keys=True, default=str).encode())

    def _schema(self, **form: Any) -> Any:
        try:
            return self._data.json_schema(schema_generator=SilentSchema, **form)
        except PydanticInvalidForJsonSchema:  # a type that JSON schema cannot describe
            return str(self._data)


class SilentSchema(GenerateJsonSchema):
    """JSON schema generator without warnings: its schema is a fingerprint of the type, and need not be complete."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Ignore the warning."""


PLAIN = json.dumps([OperationStatus.SUCCESS.value, None, None]).encode()  # the header of most stored answers


def _parted(stored: bytes, info: CacheInfo | None = None) -> tuple[Outcome, bytes]:
    """Split stored bytes into the outcome and the data."""
    head, data = stored.split(b"\n", 1)
    if head == PLAIN:
        return Outcome(cache_info=info), data
    parts = json.loads(head)
    if not isinstance(parts, list):
        raise ValueError("There is no status in front of the data.")  # not TypeError: `read` documents ValueError
    status, affected, pagination, *failed = parts  # of a failure, releases before 1.2 say that they cannot read it
    sentence, errors = failed or (None, {})
    return Outcome(OperationStatus(status), errors, sentence, affected, pagination, info), data


def _sent(data: Any) -> bytes | None:
    """The data as JSON for external callers, with aliases and without regard to the declared type."""
    try:
        return to_json(data)
    except ValueError:
        return None


def _functions(schema: Any) -> Iterator[str]:
    """The functions that validate or serialise the parts of a type, each with its code."""
    if isinstance(schema, (list, tuple)):
        for part in schema:
            yield from _functions(part)
    if not isinstance(schema, dict):
        return
    for name, part in (*schema.items(), ("function", getattr(schema.get("cls"), "__post_init__", None))):
        if name == "function" and callable(part):
            code = getattr(getattr(part, "__func__", part), "__code__", None)
            plain = [one for one in getattr(code, "co_consts", ()) if isinstance(one, (str, bytes, int, float))]
            yield f"{getattr(part, '__qualname__', '')} {getattr(code, 'co_code', b'').hex()} {plain}"
        elif name != "metadata":
            yield from _functions(part)


def _holds_set(schema: Any) -> bool:
    """Whether pydantic's schema of a type contains a set."""
    if isinstance(schema, dict):
        return schema.get("type") in ("set", "frozenset") or any(map(_holds_set, schema.values()))
    return isinstance(schema, (list, tuple)) and any(map(_holds_set, schema))


@cache
def answer_codec(answer_type: Any) -> AnswerCodec:
    """The codec of a type, created once."""
    return AnswerCodec(answer_type)


def unstorable(declared: Any, where: str) -> UnstorableError:
    """The error for a value of this declared type; it contains the path from `difference`, but not the value."""
    return UnstorableError(
        f"{shown(declared)}{where} would not come back from storage as it is: give it a value of the very type that is "
        "declared, and one that JSON can hold, which NaN, infinity, NUL characters and times without a zone are not."
    )
