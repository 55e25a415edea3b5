"""The fields of events as JSON data, in the form in which the event log stores them."""

import re
from dataclasses import fields
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from app.core.cqrs.events import DomainEvent
from app.core.cqrs.serialization import unstorable
from app.core.storable.values import blamed, difference

OWN_COLUMNS = {"event_id", "occurred_at"}
"""Fields with columns of their own, which the payload omits."""

LARGE_NUMBER = re.compile(rb"[:,\[]-?\d[\d.]*[eE]\+?\d")


class Adapters(dict[type[DomainEvent], TypeAdapter[Any]]):
    """Event class -> its pydantic adapter, which serialises and validates events; made at the first look-up."""

    def __missing__(self, event_class: type[DomainEvent]) -> TypeAdapter[Any]:
        adapter = self[event_class] = TypeAdapter(event_class)
        return adapter


adapters = Adapters()


def payload_of(event: DomainEvent) -> dict[str, Any]:
    """The fields of an event as JSON data.

    Raises:
        UnstorableError: if a field would change when it is stored and read again.
    """
    adapter = adapters[type(event)]
    own = {"event_id": event.event_id, "occurred_at": event.occurred_at}
    try:
        written = adapter.dump_json(event, exclude=OWN_COLUMNS, by_alias=False, round_trip=True, warnings=False)
        payload: dict[str, Any] = from_json(written, allow_inf_nan=False)
        stored = _as_kept(payload) if LARGE_NUMBER.search(written) else payload
        kept = adapter.validate_python({**stored, **own}, by_alias=False, by_name=True)
    except ValidationError as error:
        raise unstorable(type(event), blamed(error)) from None
    except (ValueError, TypeError):
        raise unstorable(type(event), _unwritable_in(event)) from None
    changed = difference(event, kept)
    if changed is None and event.occurred_at.tzinfo is None:
        changed = ".occurred_at"
    if changed is None and b"\\u0000" in written:
        changed = next((f".{name}" for name, value in payload.items() if has_nul(value)), None)
    if changed is not None:
        raise unstorable(type(event), changed)
    return payload


def _as_kept(value: Any) -> Any:
    """JSON data as PostgreSQL returns it: `1e16` as an integer."""
    match value:
        case dict():
            return {key: _as_kept(part) for key, part in value.items()}
        case list():
            return [_as_kept(part) for part in value]
        case float() if "e+" in repr(value):
            return int(Decimal(repr(value)))
    return value


def _unwritable_in(event: DomainEvent) -> str:
    """The first field that cannot be written as JSON, as `.name`; empty if there is none."""
    for field in fields(event):
        try:
            from_json(adapters[type(event)].dump_json(event, include={field.name}, warnings=False), allow_inf_nan=False)
        except (ValueError, TypeError):
            return f".{field.name}"
    return ""


def has_nul(value: object) -> bool:
    """Whether a text in JSON data contains NUL, which PostgreSQL does not accept."""
    match value:
        case str():
            return "\x00" in value
        case dict():
            return any(has_nul(part) for item in value.items() for part in item)
        case list() | tuple():
            return any(map(has_nul, value))
    return False
