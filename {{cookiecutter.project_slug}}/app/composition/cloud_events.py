"""Events as services tell each other of them: CloudEvents 1.0 in JSON, as docs/messages_between_services.md describes.

Only what is written here leaves: neither who asked for the operation nor anything else that is stored with an event.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import AwareDatetime, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from app.core.cqrs import DomainEvent
from app.core.cqrs.event_types import EventTypes, UnreadableMessageError, has_nul, normal_source
from app.persistence.events.stored_event import LARGEST_VERSION, StoredEvent

SPEC_VERSION = "1.0"
LONGEST_BYTES = 1000
"""Of an `id` and a `subject`: they stand in indexes of the database."""
DIGITS = 10
"""Of `sequence` and `previous`: CloudEvents orders them as texts."""
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_moment = TypeAdapter(AwareDatetime)


class NoEventError(ValueError):
    """A message that is no CloudEvent, and that no class of this service takes for an event."""


@dataclass(frozen=True, slots=True)
class Received:
    """An event of another service."""

    source: str
    """The service, as `normal_source` has it."""
    previous: int | None
    """The version of the public event before it of the same aggregate; None: there was none, or nobody says."""
    event: StoredEvent


def encode(event: StoredEvent, service: str, previous: int | None = None) -> bytes:
    """A public event for other services.

    Args:
        event: what happened.
        service: the name of this one.
        previous: the version of the public event before it of the same aggregate.
    """
    said = {
        "specversion": SPEC_VERSION,
        "id": str(event.id),
        "source": service,
        "type": wire_type(event.event_type, service),
        "subject": None if event.aggregate_id is None else f"{event.aggregate_type}/{event.aggregate_id}",
        "time": event.occurred_at.astimezone(UTC),
        "datacontenttype": "application/json",
        "dataversion": event.event_version,
        "sequence": _padded(event.version),
        "previous": _padded(previous),
        "correlationid": event.metadata.get("correlation_id"),
        "traceparent": event.metadata.get("traceparent"),
        "causationdepth": event.metadata.get("depth") or None,
        "data": event.payload,
    }
    return to_json({name: value for name, value in said.items() if value is not None})


def wire_type(event_type: str, service: str) -> str:
    """The `type` of an event of a service."""
    return f"{service}.{event_type}"


def decode(body: bytes, types: EventTypes) -> Received | None:
    """The event that another service sent; None: no class here names it, so it is nobody's business here.

    Raises:
        NoEventError: it is no CloudEvent, and no class takes it for an event.
        UnreadableMessageError: a class names it, and it is not what a CloudEvent has to be, or no database takes it.
    """
    message = _json_object(body)
    is_cloud_event = message.get("specversion") == SPEC_VERSION
    taken = list(_taken(message, [_named(message, types)] if is_cloud_event else types.foreign))
    if len(taken) > 1:
        names = ", ".join(event_class.__name__ for event_class, _ in taken)
        raise UnreadableMessageError(f"Several classes take this message for their event: {names}.")
    if taken:
        return _received(*taken[0])
    if is_cloud_event:
        return None
    raise NoEventError("The message is no CloudEvent, and no class takes it.")


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        message = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise NoEventError("The message is not JSON.") from error
    if not isinstance(message, dict):
        raise NoEventError("The message is no JSON object.")
    return message


def _named(message: dict[str, Any], types: EventTypes) -> type[DomainEvent] | None:
    """The class for the source and type of a CloudEvent: services put their name before the event's, others do not."""
    source, name = message.get("source"), message.get("type")
    if not isinstance(source, str) or not isinstance(name, str) or not source:
        return None
    return types.find(name.removeprefix(f"{source}."), source) or types.find(name, source)


def _taken(
    message: dict[str, Any], classes: Iterable[type[DomainEvent] | None]
) -> Iterable[tuple[type[DomainEvent], dict[str, Any]]]:
    for event_class in classes:
        if event_class is None:
            continue
        try:
            said = event_class.from_foreign(message)
        except Exception as error:
            raise UnreadableMessageError(
                f"{event_class.__name__}.from_foreign() failed: {type(error).__name__}."
            ) from error
        if said is not None:
            yield event_class, said


def _received(event_class: type[DomainEvent], said: dict[str, Any]) -> Received:
    source, wire_id, data = normal_source(str(event_class.event_source)), _text(said, "id"), said.get("data")
    if not isinstance(data, dict):
        raise UnreadableMessageError("`data` is no JSON object.")
    version, previous = _number(said, "sequence"), _number(said, "previous")
    if version is None or said.get("subject") is None:
        aggregate_type = aggregate_id = version = previous = None  # an order of what, or in what, nobody says
    else:
        subject = _text(said, "subject")
        aggregate_type, aggregate_id = subject.split("/", 1) if "/" in subject else ("", subject)
    if previous is not None and version is not None and previous >= version:
        raise UnreadableMessageError("`previous` does not come before `sequence`.")
    event = StoredEvent(
        id=_event_id(source, wire_id),
        aggregate_type=aggregate_type,
        aggregate_id=aggregate_id,
        version=version,
        event_type=event_class.event_type,
        event_version=_number(said, "dataversion") or 1,
        payload=data,
        metadata=_metadata(said, source, wire_id),
        occurred_at=_time(said),
    )
    _check_storable([event.payload, event.metadata, aggregate_type, aggregate_id])
    return Received(source, previous, event)


def _text(said: dict[str, Any], name: str) -> str:
    text = said.get(name)
    if not isinstance(text, str) or not text or len(text.encode()) > LONGEST_BYTES:
        raise UnreadableMessageError(f"`{name}` is no text of 1 to {LONGEST_BYTES} bytes.")
    return text


def _number(said: dict[str, Any], name: str) -> int | None:
    """A number, which CloudEvents may write as a text."""
    number = said.get(name)
    if number is None:
        return None
    if isinstance(number, str) and number.isascii() and number.isdecimal() and len(number) <= DIGITS:
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= LARGEST_VERSION:
        raise UnreadableMessageError(f"`{name}` is no whole number from 0 to {LARGEST_VERSION}.")
    return number


def _padded(number: int | None) -> str | None:
    return None if number is None else f"{number:0{DIGITS}}"


def _time(said: dict[str, Any]) -> datetime:
    try:
        return _moment.validate_python(_text(said, "time")).astimezone(UTC)
    except (ValidationError, OverflowError) as error:
        raise UnreadableMessageError("`time` is no moment with its zone, as in 2026-01-02T03:04:05Z.") from error


def _event_id(source: str, wire_id: str) -> UUID:
    """The id here: an id is its sender's own, so two senders may have the same. Ids in order of time stay in it."""
    made = uuid5(NAMESPACE_URL, f"{source}\n{wire_id}")
    try:
        sent = UUID(wire_id)
    except ValueError:
        return made
    return UUID(int=(sent.int >> 64 << 64) | (made.int & (2**64 - 1))) if sent.version == 7 else made


def _metadata(said: dict[str, Any], source: str, wire_id: str) -> dict[str, Any]:
    """The operation that it happened in, as far as others say: it goes by the id that its sender knows.

    How many events caused each other before it is needed here, too: two services may go round in circles.
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


def _check_storable(values: list[Any]) -> None:
    if has_nul(values):
        raise UnreadableMessageError("It holds a NUL character, which no database takes.")
    try:
        json.dumps(values, allow_nan=False)
    except ValueError as error:
        raise UnreadableMessageError("It holds a number that is too large.") from error
