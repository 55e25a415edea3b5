"""The wire format of events between services: CloudEvents 1.0 in JSON, see docs/messages_between_services.md.

Only the attributes written by `encode` leave the service: not the caller's id, nor the rest of the stored metadata.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from pydantic_core import to_json

from app.composition.cloud_event_attributes import (
    UNSTORABLE,
    check_storable,
    event_id,
    json_object,
    metadata_of,
    number_of,
    padded,
    text_of,
    time_of,
)
from app.core.cqrs import DomainEvent
from app.core.event_types import EventTypes, UnreadableMessageError, normal_source
from app.persistence.events.outbox_statements import SKIPPED
from app.persistence.events.stored_event import StoredEvent

SPEC_VERSION = "1.0"


class NoEventError(ValueError):
    """The message is not a CloudEvent, and no event class of this service accepts it."""


@dataclass(frozen=True, slots=True)
class Received:
    """An event of another service."""

    source: str
    """The sending service, normalised by `normal_source`."""
    previous: int | None
    """The version of the aggregate's previous public event; None if there was none or the sender does not state it."""
    event: StoredEvent


def encode(event: StoredEvent, service: str, previous: int | None = None) -> bytes:
    """Encode a public event for other services.

    Args:
        event: the stored event.
        service: the name of this service, which becomes the `source`.
        previous: the version of the aggregate's previous public event.
    """
    said = {
        "specversion": SPEC_VERSION,
        "id": str(event.id),
        "source": service,
        "type": f"{service}.{event.event_type}",
        "subject": None if event.aggregate_id is None else f"{event.aggregate_type}/{event.aggregate_id}",
        "time": event.occurred_at.astimezone(UTC),
        "datacontenttype": "application/json",
        "dataversion": event.event_version,
        "sequence": padded(event.version),
        "previous": padded(previous),
        "correlationid": event.metadata.get("correlation_id"),
        "traceparent": event.metadata.get("traceparent"),
        "causationdepth": event.metadata.get("depth") or None,
        "data": event.payload,
    }
    return to_json({name: value for name, value in said.items() if value is not None})


def decode(body: bytes, types: EventTypes) -> Received | None:
    """Decode an event of another service; None for a CloudEvent that is of no interest to this service.

    One that no class names, but whose service a class names, is `SKIPPED`, without data, if it has a place in an order.

    Raises:
        NoEventError: if the message is not a CloudEvent, and no event class accepts it.
        UnreadableMessageError: if an event class accepts it, but its attributes are invalid or cannot be stored.
    """
    try:
        message, is_storable = json_object(body)
    except ValueError as error:
        raise NoEventError("The message is not a JSON object.") from error
    is_cloud_event = message.get("specversion") == SPEC_VERSION
    taken = list(_taken(message, [_named(message, types)] if is_cloud_event else types.foreign))
    if len(taken) > 1:
        names = ", ".join(event_class.__name__ for event_class, _ in taken)
        raise UnreadableMessageError(f"Several event classes accept this message: {names}.")
    if taken and not is_storable:
        raise _unreadable(taken[0][0], UNSTORABLE)
    if taken:
        return _storable(*taken[0])
    if is_cloud_event:
        return _skipped(message, types)
    raise NoEventError("The message is not a CloudEvent, and no event class accepts it.")


def _named(message: dict[str, Any], types: EventTypes) -> type[DomainEvent] | None:
    """The class for a CloudEvent's source and type. Services like this one prefix the type with their name."""
    source, name = message.get("source"), message.get("type")
    if not isinstance(source, str) or not isinstance(name, str) or not source or not name:
        raise NoEventError("The message is not a CloudEvent: its `source` or its `type` is not a text, or empty.")
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
            raise _unreadable(
                event_class, f"{event_class.__name__}.from_foreign() failed: {type(error).__name__}."
            ) from error
        if said is not None:
            yield event_class, said


def _storable(event_class: type[DomainEvent], said: dict[str, Any]) -> Received:
    """The event, if it can be stored. A class of the service made `said`, which may be anything."""
    try:
        return _received(event_class.event_type, normal_source(str(event_class.event_source)), said)
    except UnreadableMessageError as error:
        raise _unreadable(event_class, error.message) from error
    except Exception as error:
        must = "from_foreign() must return a dict of JSON values"
        raise _unreadable(event_class, f"{event_class.__name__}.{must}: {type(error).__name__}.") from error


def _unreadable(event_class: type[DomainEvent], reason: str) -> UnreadableMessageError:
    return UnreadableMessageError(reason, details={"source": normal_source(str(event_class.event_source))})


def _skipped(message: dict[str, Any], types: EventTypes) -> Received | None:
    source = message["source"]
    if not types.names(source):
        return None
    try:
        received = _received(SKIPPED, normal_source(source), {**message, "data": {}})
    except (UnreadableMessageError, UnicodeEncodeError):
        return None
    return None if received.event.version is None else received


def _received(event_type: str, source: str, said: dict[str, Any]) -> Received:
    wire_id, data = text_of(said, "id"), said.get("data")
    if not isinstance(data, dict):
        raise UnreadableMessageError("`data` is not a JSON object.")
    version, previous = number_of(said, "sequence"), number_of(said, "previous")
    if version is None or said.get("subject") is None:
        aggregate_type = aggregate_id = version = previous = None  # an order needs both a subject and a sequence
    else:
        subject = text_of(said, "subject")
        aggregate_type, aggregate_id = subject.split("/", 1) if "/" in subject else ("", subject)
    if previous is not None and version is not None and previous >= version:
        raise UnreadableMessageError("`previous` does not come before `sequence`.")
    event = StoredEvent(
        id=event_id(source, wire_id),
        aggregate_type=aggregate_type,
        aggregate_id=aggregate_id,
        version=version,
        event_type=event_type,
        event_version=number_of(said, "dataversion") or 1,
        payload=data,
        metadata=metadata_of(said, source, wire_id),
        occurred_at=time_of(said),
    )
    check_storable([event.payload, event.metadata, aggregate_type, aggregate_id])
    return Received(source, previous, event)
