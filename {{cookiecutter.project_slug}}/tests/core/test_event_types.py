"""Stored events: written as plain data, and read again after the classes have changed."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from pydantic_core import from_json, to_json

from app.core.cqrs import ConfigurationError, DomainEvent
from app.core.event_payloads import payload_of
from app.core.event_types import EventTypes, UnreadableEventError


class Size(Enum):
    """How large."""

    SMALL = "small"


@dataclass(frozen=True)
class Line:
    """Part of an event."""

    item: str
    size: Size


@dataclass(frozen=True, kw_only=True)
class Rich(DomainEvent):
    """With everything that an event may hold."""

    parcel_id: UUID
    total: Decimal
    lines: tuple[Line, ...]
    tags: frozenset[str] = frozenset()
    on: date | None = None
    took: timedelta = timedelta()
    raw: bytes = b""


def stored(event: DomainEvent) -> dict[str, Any]:
    """The payload after it was in a database."""
    payload: dict[str, Any] = from_json(to_json(payload_of(event)))
    return payload


def read(types: EventTypes, event: DomainEvent, version: int = 1, **changes: Any) -> DomainEvent:
    """What is read of a stored event."""
    payload = stored(event) | changes
    return types.read(event.event_type, version, payload, event_id=event.event_id, occurred_at=event.occurred_at)


def test_an_event_is_read_as_it_was_written() -> None:
    event = Rich(
        parcel_id=uuid4(),
        total=Decimal("12.90"),
        lines=(Line("lamp", Size.SMALL),),
        tags=frozenset({"new"}),
        on=date(2026, 1, 2),
        took=timedelta(seconds=1.5),
        raw=b"\x01",
    )
    assert read(EventTypes([Rich]), event) == event
    assert "event_id" not in stored(event)


@dataclass(frozen=True, kw_only=True)
class Renamed(DomainEvent):
    """Was called Moved in its youth, and had no reason."""

    event_type: ClassVar[str] = "Moved"
    to: str
    reason: str = "unknown"


def test_a_class_that_was_renamed_and_has_a_new_field_reads_what_was_stored_before() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    event = EventTypes([Renamed]).read("Moved", 1, {"to": "Rome", "gone": 1}, event_id=UUID(int=1), occurred_at=at)
    assert event == Renamed(event_id=UUID(int=1), occurred_at=at, to="Rome", reason="unknown")


@dataclass(frozen=True, kw_only=True)
class Paid(DomainEvent):
    """Had an amount in cents in version 1, and no currency in version 2."""

    event_version: ClassVar[int] = 3
    amount: Decimal
    currency: str

    @classmethod
    def upcast(cls, payload: dict[str, Any], version: int) -> dict[str, Any]:
        if version < 2:
            payload["amount"] = Decimal(payload.pop("cents")) / 100
        return {"currency": "EUR", **payload}


@pytest.mark.parametrize(
    ("version", "payload"),
    [(1, {"cents": 1250}), (2, {"amount": "12.50"}), (3, {"amount": "12.50", "currency": "EUR"})],
)
def test_older_shapes_are_brought_to_todays(version: int, payload: dict[str, Any]) -> None:
    own: dict[str, Any] = {"event_id": UUID(int=1), "occurred_at": datetime(2026, 1, 1, tzinfo=UTC)}
    before = dict(payload)
    event = EventTypes([Paid]).read("Paid", version, payload, **own)
    assert event == Paid(amount=Decimal("12.50"), currency="EUR", **own)
    assert payload == before


def test_todays_shape_is_not_upcast() -> None:
    with pytest.raises(UnreadableEventError, match="currency"):
        read(EventTypes([Paid]), Paid(amount=Decimal(1), currency="EUR"), version=3, currency=None)


@pytest.mark.parametrize("version", [2, 3])
def test_what_a_newer_release_of_this_service_wrote_is_left_to_it(version: int) -> None:
    with pytest.raises(UnreadableEventError, match=rf"up to version 1, .* wrote this one in version {version}:"):
        read(EventTypes([Renamed]), Renamed(to="Rome"), version)


def test_what_a_newer_release_of_another_service_wrote_is_read_as_far_as_it_fits() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Sent(DomainEvent):
        event_source = "post"
        event_type = "Sent"
        to: str

    own: dict[str, Any] = {"event_id": UUID(int=1), "occurred_at": datetime(2026, 1, 1, tzinfo=UTC)}
    assert EventTypes([Sent]).read("Sent", 2, {"to": "Rome", "by": "air"}, "post", **own) == Sent(to="Rome", **own)


def test_an_event_without_a_class_says_what_to_do() -> None:
    with pytest.raises(UnreadableEventError) as raised:
        EventTypes([]).read("Moved", 1, {})
    assert str(raised.value) == (
        'No class reads the event Moved: restore it, or set event_type = "Moved" in the class that replaced it.'
    )
    assert EventTypes([]).find("Moved") is None
    assert EventTypes([Renamed]).find("Moved") is Renamed


def test_a_payload_that_does_not_fit_is_named_without_its_values() -> None:
    with pytest.raises(UnreadableEventError) as raised:
        read(EventTypes([Renamed]), Renamed(to="Rome"), to={"secret": "s3cret"})
    assert "Renamed cannot read an event of version 1, because of to: give new fields a default" in str(raised.value)
    assert "s3cret" not in str(raised.value)


@dataclass(frozen=True, kw_only=True)
class Careless(DomainEvent):
    """Its upcast has a bug."""

    event_version: ClassVar[int] = 2

    @classmethod
    def upcast(cls, payload: dict[str, Any], version: int) -> dict[str, Any]:
        return {"x": payload["missing"]}


def test_an_upcast_that_fails_is_named() -> None:
    with pytest.raises(UnreadableEventError, match=r"because of KeyError in upcast\(\)"):
        EventTypes([Careless]).read("Careless", 1, {})


def test_two_classes_of_one_name_are_refused() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Moved(DomainEvent):
        to: str = field(default="")

    with pytest.raises(ConfigurationError) as raised:
        EventTypes([Renamed, Moved])
    assert "have the same event_type, Moved: give one of them another" in str(raised.value)
    EventTypes([Renamed, Renamed])  # found twice is not declared twice
