"""The attributes of a CloudEvent, read strictly: what the database cannot store is refused."""

import json
import re
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import AwareDatetime, TypeAdapter, ValidationError
from pydantic_core import from_json

from app.core.event_payloads import has_nul
from app.core.event_types import UnreadableMessageError
from app.persistence.events.stored_event import LARGEST_VERSION

LONGEST_BYTES = 1000
"""Maximum length of an `id`, a `subject` and other texts. The parts of a `subject` are in database indexes."""
DIGITS = 10
"""Width of `sequence` and `previous`, padded with zeros: CloudEvents orders them as texts."""
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
MOMENT = TypeAdapter(AwareDatetime)
UNSTORABLE = (
    "No database can store it: it contains half of a character, bytes that are no text, a number that is too large, or "
    "too many levels."
)


def json_object(body: bytes) -> tuple[dict[str, Any], bool]:
    """What a message says, and whether it can be stored: if not, a class may accept it nevertheless.

    Raises:
        ValueError: if it is not an object of JSON.
    """
    is_storable = True
    try:
        said = from_json(body, allow_inf_nan=False)
    except ValueError:
        said, is_storable = _lenient_json(body)
    if not isinstance(said, dict):
        raise ValueError("It is not an object.")
    return said, is_storable


def _lenient_json(body: bytes) -> tuple[Any, bool]:
    """What the standard library reads in addition: UTF-16, half of a character, NaN and more levels."""
    try:
        said = json.loads(body.decode(json.detect_encoding(body), errors="surrogateescape"), parse_int=_integer)
        text = json.dumps(said)
    except RecursionError as error:
        raise ValueError("It has too many levels.") from error
    try:
        return from_json(text, allow_inf_nan=False), True
    except ValueError:
        return said, False


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= sys.int_info.str_digits_check_threshold else float(digits)


def text_of(said: dict[str, Any], name: str) -> str:
    """A text attribute."""
    text = said.get(name)
    if not isinstance(text, str) or not text or len(text.encode()) > LONGEST_BYTES:
        raise UnreadableMessageError(f"`{name}` is not a text of 1 to {LONGEST_BYTES} bytes.")
    return text


def number_of(said: dict[str, Any], name: str) -> int | None:
    """A number attribute, which CloudEvents may also write as a text."""
    number = said.get(name)
    if number is None:
        return None
    if isinstance(number, str) and number.isascii() and number.isdecimal() and len(number) <= DIGITS:
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= LARGEST_VERSION:
        raise UnreadableMessageError(f"`{name}` is not an integer from 0 to {LARGEST_VERSION}.")
    return number


def padded(number: int | None) -> str | None:
    """A number as the text that `encode` writes."""
    return None if number is None else f"{number:0{DIGITS}}"


def time_of(said: dict[str, Any]) -> datetime:
    """The `time` attribute."""
    try:
        return MOMENT.validate_python(text_of(said, "time")).astimezone(UTC)
    except (ValidationError, OverflowError) as error:
        raise UnreadableMessageError("`time` is not a time with its zone, such as 2026-01-02T03:04:05Z.") from error


def event_id(source: str, wire_id: str) -> UUID:
    """A hash of source and id: two senders may use the same id. A UUIDv7 keeps its upper half, and so its order."""
    made = uuid5(NAMESPACE_URL, f"{source}\n{wire_id}")
    try:
        sent = UUID(wire_id)
    except ValueError:
        return made
    return UUID(int=(sent.int >> 64 << 64) | (made.int & (2**64 - 1))) if sent.version == 7 else made


def metadata_of(said: dict[str, Any], source: str, wire_id: str) -> dict[str, Any]:
    """Metadata of the sender's operation, as far as the message has it; the wire id serves as the operation id.

    The causation depth is kept, too: it detects infinite loops between two services.
    """
    traceparent, correlation_id, depth = (said.get(name) for name in ("traceparent", "correlationid", "causationdepth"))
    known: dict[str, Any] = {"operation_id": wire_id, "source": source}
    if isinstance(correlation_id, str) and 0 < len(correlation_id) <= LONGEST_BYTES:
        known["correlation_id"] = correlation_id
    if isinstance(traceparent, str) and TRACEPARENT.fullmatch(traceparent):
        known["traceparent"] = traceparent
    if isinstance(depth, int) and 0 < depth <= LARGEST_VERSION:
        known["depth"] = int(depth)
    return known


def check_storable(values: list[Any]) -> None:
    """Refuse values that the database could not store."""
    if has_nul(values):
        raise UnreadableMessageError("It contains a NUL character, which no database can store.")
    try:
        json.dumps(values, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UnreadableMessageError("It contains half of a character, which no database can store.") from error
    except ValueError as error:
        raise UnreadableMessageError("It contains a number that is too large.") from error
