"""The base of aggregates: they raise events, and the unit of work stores both together."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.messages import DomainEvent, Message, name_on_record
from app.core.cqrs.metadata import OperationMetadata


class RaisedEvent(NamedTuple):
    """An event and the aggregate that raised it; `version` is the event's number in the aggregate's stream."""

    event: DomainEvent
    aggregate_type: str | None = None
    aggregate_id: str | None = None
    version: int | None = None


def require_own(event: DomainEvent) -> None:
    """Refuse an event that this service cannot make happen.

    Raises:
        ConfigurationError: it is one of another service.
    """
    if event.event_source is not None:
        raise ConfigurationError(
            f"{type(event).__name__} is an event of {event.event_source}, which this service hears of and cannot make "
            "happen: raise an event of its own."
        )


class EventRecord(Message):
    """An event as the event log keeps it: with the aggregate that raised it and the operation it happened in.

    `is_stored` tells an event that was read from the log, and may come again, from one that just happens.
    """

    __slots__ = ("is_stored", "raised")

    def __init__(
        self, raised: RaisedEvent, metadata: OperationMetadata | None = None, *, is_stored: bool = False
    ) -> None:
        self.raised = raised
        self.is_stored = is_stored
        if metadata is not None:
            self._metadata = metadata

    def following(self) -> "EventRecord":
        """The same for those who react after the commit: what they cause is one step further on."""
        metadata = replace(self.metadata, depth=self.metadata.depth + 1)
        return EventRecord(self.raised, metadata, is_stored=self.is_stored)

    @property
    def event(self) -> DomainEvent:
        """What happened."""
        return self.raised.event

    @property
    def event_type(self) -> str:
        """Its name on the wire."""
        return self.event.event_type

    def get_aggregate_id(self) -> str | None:
        """The id of the aggregate that raised it, if one did."""
        return self.raised.aggregate_id


class AggregateRoot:
    """A thing with an identity that changes only through its own methods.

    A subclass has an `id`. Its state changes are methods that check the rules and raise events.
    """

    id: Any
    version: int = 0
    """The sequence number of its last event; 0 before the first."""

    aggregate_type: ClassVar[str] = "AggregateRoot"
    """What the event log knows it by: the class's name, unless the class sets another that outlives it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name_on_record(cls, "aggregate_type")

    def raise_event(self, event: DomainEvent) -> None:
        """Note that something happened; it is stored and published with the next commit.

        Raises:
            ConfigurationError: it is an event of another service.
        """
        require_own(event)
        self.version = (self.version or 0) + 1
        raised = RaisedEvent(event, self.aggregate_type, str(self.id), self.version)
        self.__dict__.setdefault("_raised_events", []).append(raised)

    def continue_stream(self, version: int) -> None:
        """Count on from the last event of an aggregate that had the same id before, and is gone."""
        raised: list[RaisedEvent] = self.__dict__.get("_raised_events", [])
        raised[:] = [event._replace(version=(event.version or 0) + version) for event in raised]
        self.version = (self.version or 0) + version

    def count_events(self) -> int:
        """How many events were raised and not taken yet."""
        return len(self.__dict__.get("_raised_events", ()))

    def drop_events(self, but: int) -> None:
        """Forget all that was raised and not taken yet, but the first so many."""
        del self.__dict__.get("_raised_events", [])[but:]

    def take_events(self) -> list[RaisedEvent]:
        """The events raised since the last call."""
        raised: list[RaisedEvent] = self.__dict__.pop("_raised_events", [])
        return raised


class EventSourcedAggregate(AggregateRoot, ABC):
    """An aggregate that is kept as its events alone: what they say, one after the other, is its state.

    Its methods check the rules and raise events; only `apply` changes anything.
    """

    def __init__(self, id: Any) -> None:
        self.id = id

    @abstractmethod
    def apply(self, event: DomainEvent) -> None:
        """Become what the aggregate is after this event: it happened, so there is nothing to refuse."""

    def raise_event(self, event: DomainEvent) -> None:
        """Let something happen; it is stored and published with the next commit."""
        require_own(event)
        self.apply(event)
        super().raise_event(event)

    def replay(self, history: Iterable[RaisedEvent]) -> None:
        """Become what the aggregate is after all that happened to it, in the order in which it did."""
        for raised in history:
            self.apply(raised.event)
            self.version = raised.version or self.version
