import pytest

from app.core.cqrs import (
    AggregateRoot,
    ConfigurationError,
    DomainEvent,
    EventRecord,
    EventSourcedAggregate,
    OperationMetadata,
    RaisedEvent,
)
from tests.core.cqrs.support import Happened, Thing


def test_the_version_is_the_number_of_the_last_event() -> None:
    thing = Thing("1")
    assert thing.version == 0
    thing.change("a")
    thing.change("b")
    assert thing.version == 2
    assert [(raised.version, raised.aggregate_type, raised.aggregate_id) for raised in thing.take_events()] == [
        (1, "Thing", "1"),
        (2, "Thing", "1"),
    ]


def test_events_are_taken_once() -> None:
    thing = Thing("1")
    thing.change()
    assert len(thing.take_events()) == 1
    assert thing.take_events() == []
    thing.change()
    assert [raised.version for raised in thing.take_events()] == [2]


def test_an_aggregate_that_was_loaded_counts_on() -> None:
    thing = Thing("1")
    thing.version = 7
    thing.change()
    assert thing.take_events()[0].version == 8


def test_a_version_not_set_yet_counts_from_the_start() -> None:
    thing = Thing("1")
    thing.version = None  # type: ignore[assignment]  # as an object-relational mapper leaves it before the first flush
    thing.change()
    assert thing.version == 1


def test_an_id_is_kept_as_text() -> None:
    class Numbered(AggregateRoot):
        id = 7

    numbered = Numbered()
    numbered.raise_event(Happened())
    assert numbered.take_events()[0].aggregate_id == "7"


def test_a_record_has_the_event_and_the_metadata() -> None:
    metadata, event = OperationMetadata(user_id="ada"), Happened()
    record = EventRecord(RaisedEvent(event), metadata)
    assert (record.event, record.event_type, record.metadata) == (event, "Happened", metadata)
    assert EventRecord(RaisedEvent(event)).metadata.user_id is None


def test_an_event_needs_the_id_of_its_aggregate() -> None:
    with pytest.raises(ConfigurationError, match="Thing needs an id before it raises Happened"):
        Thing(None).change()  # type: ignore[arg-type]


class Counter(EventSourcedAggregate):
    """Counts what happened."""

    aggregate_type = "Counter"

    whats: tuple[str, ...] = ()

    def apply(self, event: DomainEvent) -> None:
        assert isinstance(event, Happened)
        self.whats += (event.what,)


def test_what_is_kept_as_events_becomes_what_they_say() -> None:
    counter = Counter("1")
    counter.raise_event(Happened(what="a"))
    counter.raise_event(Happened(what="b"))
    again = Counter("1")
    again.replay(counter.take_events())
    assert (again.whats, again.version) == (counter.whats, counter.version) == (("a", "b"), 2)
    assert again.take_events() == [], "what happened before does not happen again"
    again.raise_event(Happened(what="c"))
    assert [raised.version for raised in again.take_events()] == [3]
