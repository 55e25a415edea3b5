"""What leaves is a CloudEvent with nothing private; what comes in is taken by the class that names it, or by none."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from app.composition.cloud_event_attributes import LONGEST_BYTES
from app.composition.cloud_events import NoEventError, Received, decode, encode
from app.core.cqrs import ConfigurationError, DomainEvent
from app.core.event_types import EventTypes, UnreadableEventError, UnreadableMessageError
from app.core.ids import uuid7
from app.persistence.events.stored_event import StoredEvent

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True, kw_only=True)
class ParcelSent(DomainEvent):
    """One of ours."""

    public: ClassVar[bool] = True

    parcel: str


@dataclass(frozen=True, kw_only=True)
class ParcelHeard(DomainEvent):
    """The same, as another service understands it."""

    event_source = "post_office"
    event_type = "ParcelSent"

    parcel: str


@dataclass(frozen=True, kw_only=True)
class Pushed(DomainEvent):
    """Of somebody who has nothing to do with this template."""

    event_source = "https://code.example/webhooks"
    event_type = "com.example.push"

    ref: str


@dataclass(frozen=True, kw_only=True)
class Weighed(DomainEvent):
    """Of a scale that knows no CloudEvents."""

    event_source = "scale"
    event_type = "Weighed"

    grams: int

    @classmethod
    def from_foreign(cls, message: dict[str, Any]) -> dict[str, Any] | None:
        """`{"no": 7, "at": "2026-01-02T12:00:00Z", "g": 250}`"""
        if "g" not in message:
            return None
        return {"id": str(message["no"]), "time": message["at"], "data": {"grams": message["g"]}}


TYPES = EventTypes([ParcelSent, ParcelHeard, Pushed, Weighed])


def stored(**values: Any) -> StoredEvent:
    """One event of the log."""
    metadata = {"user_id": "ada", "source": "http", "operation_id": "op", "correlation_id": "c", "traceparent": TRACE}
    known: dict[str, Any] = {
        "id": uuid7(),
        "aggregate_type": "Parcel",
        "aggregate_id": "A/1",
        "version": 12,
        "event_type": "ParcelSent",
        "event_version": 1,
        "payload": {"parcel": "A/1"},
        "metadata": metadata,
        "occurred_at": NOON,
    }
    return StoredEvent(**(known | values))


def sent(**changes: Any) -> bytes:
    """What a plain client sends: a CloudEvent with these attributes, None leaves one out."""
    message = {
        "specversion": "1.0",
        "id": "1",
        "source": "https://code.example/webhooks",
        "type": "com.example.push",
        "time": "2026-01-02T13:00:00+01:00",
        "data": {"ref": "main"},
    }
    return json.dumps({name: value for name, value in (message | changes).items() if value is not None}).encode()


def received(body: bytes, types: EventTypes = TYPES) -> Received:
    """What was taken."""
    found = decode(body, types)
    assert found is not None
    return found


def test_what_leaves_is_a_cloud_event_and_nothing_private() -> None:
    event = stored()
    assert json.loads(encode(event, "post-office", 10)) == {
        "specversion": "1.0",
        "id": str(event.id),
        "source": "post-office",
        "type": "post-office.ParcelSent",
        "subject": "Parcel/A/1",
        "time": "2026-01-02T12:00:00Z",
        "datacontenttype": "application/json",
        "dataversion": 1,
        "sequence": "0000000012",
        "previous": "0000000010",
        "correlationid": "c",
        "traceparent": TRACE,
        "data": {"parcel": "A/1"},
    }


def test_what_there_is_not_is_left_out() -> None:
    alone = stored(aggregate_type=None, aggregate_id=None, version=None, metadata={}, event_version=3)
    said = json.loads(encode(alone, "post-office"))
    assert said.keys() == {"specversion", "id", "source", "type", "time", "datacontenttype", "dataversion", "data"}
    assert said["dataversion"] == 3


@pytest.mark.parametrize("service", ["post_office", "post-office", "Post.Office"])
def test_an_event_of_another_service_is_taken_by_the_class_that_names_it(service: str) -> None:
    event = stored()
    taken = received(encode(event, service, 10))
    assert (taken.source, taken.previous, taken.event.version) == ("post-office", 10, 12)
    assert (taken.event.aggregate_type, taken.event.aggregate_id) == ("Parcel", "A/1")
    assert taken.event.metadata == {
        "operation_id": str(event.id),
        "source": "post-office",
        "correlation_id": "c",
        "traceparent": TRACE,
    }
    record = taken.event.record(TYPES, taken.source)
    assert record.event == ParcelHeard(parcel="A/1", event_id=taken.event.id, occurred_at=NOON)
    with pytest.raises(UnreadableEventError, match="No class reads the event ParcelHeard of post-office"):
        stored(event_type="ParcelHeard").record(TYPES, "post-office")


def test_a_type_may_be_named_as_it_is_sent() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Named(DomainEvent):
        event_source = "post-office"
        event_type = "post-office.ParcelSent"

        parcel: str

    assert received(encode(stored(), "post-office"), EventTypes([Named])).event.event_type == Named.event_type


@pytest.mark.parametrize("service", ["warehouse", "post-office-2"])
def test_an_event_of_a_service_that_no_class_names_is_nobodys_business(service: str) -> None:
    assert decode(encode(stored(), service), TYPES) is None


def test_events_of_ones_own_are_not_taken() -> None:
    assert decode(encode(stored(), "post-office"), EventTypes([ParcelSent])) is None


def test_a_plain_client_needs_five_attributes() -> None:
    taken = received(sent())
    assert (taken.source, taken.previous, taken.event.aggregate_id) == ("https://code.example/webhooks", None, None)
    assert taken.event.record(TYPES, taken.source).event == Pushed(
        ref="main", event_id=taken.event.id, occurred_at=NOON
    )


def test_an_order_needs_a_subject_and_a_sequence() -> None:
    ordered = received(sent(subject="main", sequence="0000000002", previous=1))
    assert (ordered.event.aggregate_type, ordered.event.aggregate_id, ordered.event.version) == ("", "main", 2)
    assert ordered.previous == 1
    for half in ({"subject": "main"}, {"sequence": 2, "previous": 1}):
        taken = received(sent(**half))
        assert (taken.event.aggregate_id, taken.event.version, taken.previous) == (None, None, None)


def test_the_same_message_is_the_same_event_and_that_of_another_sender_is_another() -> None:
    assert received(sent(data={"ref": "again"})).event.id == received(sent()).event.id
    for wire_id in (uuid4(), uuid7()):
        ids = {received(body).event.id for body in (sent(id=str(wire_id)), encode(stored(id=wire_id), "post-office"))}
        assert len(ids) == 2
        assert wire_id not in ids


def test_ids_in_order_of_time_stay_in_it() -> None:
    ids = [uuid7() for _ in range(100)]
    assert [each.int >> 64 for each in ids] == [
        received(encode(stored(id=each), "post-office")).event.id.int >> 64 for each in ids
    ]


def test_other_json_is_taken_by_a_class_that_says_how() -> None:
    taken = received(json.dumps({"no": 7, "at": "2026-01-02T12:00:00Z", "g": 250}).encode())
    event = taken.event.record(TYPES, taken.source).event
    assert event == Weighed(grams=250, event_id=taken.event.id, occurred_at=NOON)


@pytest.mark.parametrize("version", ["0.3", "1.1", 1.0, ""])
@pytest.mark.parametrize("classes", [[Pushed], [Pushed, ParcelHeard, Weighed]])
def test_a_cloud_event_of_another_version_is_only_for_a_class_that_converts_it(
    version: object, classes: list[type[DomainEvent]]
) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Converted(Pushed):
        event_source = "converted"
        event_type = "Converted"

        @classmethod
        def from_foreign(cls, message: dict[str, Any]) -> dict[str, Any] | None:
            said = super().from_foreign(message | {"specversion": "1.0"})
            return said if message["specversion"] == version else None

    with pytest.raises(NoEventError):
        decode(sent(specversion=version), EventTypes(classes))
    assert received(sent(specversion=version), EventTypes([*classes, Converted])).source == "converted"


@pytest.mark.parametrize(
    "body", [b"", b"\xff{", b"[]", b"7", b'{"a": NaN}', b'{"some": "thing"}', sent(specversion=None)]
)
def test_what_is_no_event_is_told_from_what_is_broken(body: bytes) -> None:
    with pytest.raises(NoEventError):
        decode(body, TYPES)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "`id` is not a text"),
        ({"id": 7}, "`id` is not a text"),
        ({"id": ""}, "`id` is not a text"),
        ({"id": "é" * (LONGEST_BYTES // 2 + 1)}, "`id` is not a text"),
        ({"id": "a\0b"}, "NUL"),
        ({"time": None}, "`time` is not a text"),
        ({"time": "yesterday"}, "`time` is not a time with its zone"),
        ({"time": "2026-01-02T12:00:00"}, "`time` is not a time with its zone"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "`time` is not a time with its zone"),
        ({"data": None}, "`data` is not a JSON object"),
        ({"data": [1]}, "`data` is not a JSON object"),
        ({"data": {"ref": "a\0b"}}, "NUL"),
        ({"data": {"ref": {"a\0b": 1}}}, "NUL"),
        ({"subject": "s" * (LONGEST_BYTES + 1), "sequence": 1}, "`subject` is not a text"),
        ({"subject": "a\0b", "sequence": 1}, "NUL"),
        ({"sequence": "x"}, "`sequence` is not an integer"),
        ({"sequence": True}, "`sequence` is not an integer"),
        ({"sequence": 2**31}, "`sequence` is not an integer"),
        ({"sequence": -1}, "`sequence` is not an integer"),
        ({"dataversion": 1.5}, "`dataversion` is not an integer"),
        ({"subject": "s", "sequence": 2, "previous": 2}, "`previous` does not come before"),
    ],
)
def test_what_a_class_names_and_nobody_can_read_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableMessageError, match=reason):
        decode(sent(**changes), TYPES)


@pytest.mark.parametrize(
    "value",
    [b'"cut \\ud83d"', b'"\xff"', b'"\xed\xa0\x80"', b"9" * 4301, b"NaN", b"-Infinity", b"[" * 300 + b"]" * 300],
    ids=lambda value: repr(value[:9]),
)
def test_json_that_cannot_be_stored_is_refused_if_a_class_accepts_it(value: bytes) -> None:
    """JSON.stringify of JavaScript writes half of a character, and json.dumps of Python NaN."""
    with pytest.raises(UnreadableMessageError, match="No database can store it"):
        decode(sent(data={"n": 7}).replace(b"7", value), TYPES)
    with pytest.raises(UnreadableMessageError):
        decode(b'{"no": 7, "at": "2026-01-02T12:00:00Z", "g": %b}' % value, TYPES)
    with pytest.raises(NoEventError):
        decode(b'{"specversion": "0.3", "n": %b}' % value, TYPES)


def test_an_event_of_no_class_keeps_its_place_whatever_its_data() -> None:
    body = sent(type="other", subject="s", sequence=2, previous=1, data={"n": 7}).replace(b"7", b'"\\ud83d"')
    assert (received(body).event.version, received(body).event.payload) == (2, {})


@pytest.mark.parametrize("name", ["id", "subject", "time", "correlationid"])
def test_an_event_of_no_class_has_no_place_if_that_cannot_be_stored(name: str) -> None:
    attributes = {"type": "other", "subject": "s", "sequence": 2, name: "half"}
    assert decode(sent(**attributes).replace(b"half", b"\\ud83d"), TYPES) is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_json_in_another_encoding_is_read(encoding: str) -> None:
    body = sent(data={"ref": "é😀", "n": 2**70}, sequence=1, subject="s").decode().encode(encoding)
    assert received(body) == received(sent(data={"ref": "é😀", "n": 2**70}, sequence=1, subject="s"))


@pytest.mark.parametrize("name", ["source", "type"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_what_says_neither_whose_nor_what_it_is_is_no_cloud_event(name: str, value: object) -> None:
    with pytest.raises(NoEventError, match="not a CloudEvent"):
        decode(sent(**{name: value}), TYPES)


def test_a_number_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(UnreadableMessageError, match="a number that is too large"):
        decode(sent().replace(b'"main"', b"1e999"), TYPES)


def test_services_that_react_to_each_other_count_the_events_of_both() -> None:
    depth = 0
    for steps in range(1, 4):
        event = stored(metadata={"depth": depth} if depth else {})
        depth = received(encode(event, "post-office")).event.operation().depth
        assert depth == steps


@pytest.mark.parametrize(
    "changes",
    [
        {"traceparent": "x"},
        {"traceparent": 7},
        {"correlationid": ["x"]},
        {"causationdepth": "deep"},
        {"causationdepth": -1},
        {"causationdepth": 2**31},
    ],
)
def test_what_only_logs_need_never_keeps_an_event_out(changes: dict[str, Any]) -> None:
    assert received(sent(**changes)).event.metadata.keys() == {"operation_id", "source"}


def test_a_class_that_fails_on_other_json_is_named() -> None:
    with pytest.raises(UnreadableMessageError, match=r"Weighed\.from_foreign\(\) failed: KeyError\."):
        decode(b'{"g": 1}', TYPES)


def test_two_classes_that_take_the_same_json_are_named() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Copied(Weighed):
        """Of the same scale."""

        event_type = "Copied"

    with pytest.raises(UnreadableMessageError, match="Several event classes .*: Weighed, Copied"):
        decode(b'{"no": 1, "at": "2026-01-02T12:00:00Z", "g": 1}', EventTypes([Weighed, Copied]))


def test_one_name_of_two_services_is_two_events_and_two_classes_for_one_are_refused() -> None:
    assert (TYPES.find("ParcelSent"), TYPES.find("ParcelSent", "post-office")) == (ParcelSent, ParcelHeard)

    @dataclass(frozen=True, kw_only=True)
    class Again(DomainEvent):
        event_source = "Post-Office"
        event_type = "ParcelSent"

    with pytest.raises(ConfigurationError, match="ParcelHeard and .*Again have the same event_type of post-office"):
        EventTypes([ParcelHeard, Again])
