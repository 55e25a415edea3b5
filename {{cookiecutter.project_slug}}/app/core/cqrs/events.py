"""Domain events, and the base classes of the aggregates that raise them; the unit of work stores both together."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from inspect import isabstract
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.messages import Message, name_on_record, refuse_fields
from app.core.cqrs.operation import OperationMetadata
from app.core.ids import uuid7


@dataclass(frozen=True, kw_only=True)
class DomainEvent:
    """Something that happened. Events carry ids and values, never entities, and survive a JSON round trip."""

    event_id: UUID = field(default_factory=uuid7)
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    event_type: ClassVar[str] = "DomainEvent"
    """The name on the wire and in the event log: the class's name, unless set; another service's event must set it."""
    event_version: ClassVar[int] = 1
    """The version of the event's schema: increment it if older events would not load, and implement `upcast`."""
    public: ClassVar[bool] = False
    """Whether other services receive the event. Subclasses of a public event must set it."""
    event_source: ClassVar[str | None] = None
    """The service that publishes the event: its name, or the `source` of its CloudEvents. None: this service."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.event_source is not None and "event_type" not in cls.__dict__:
            raise TypeError(
                f"{cls.__name__} has an event_source, so its name is what that service calls it, not what a class is "
                f'called here: add event_type = "{cls.__name__}", or the name that it has there.'
            )
        name_on_record(cls, "event_type")
        refuse_fields(cls, "event_version", "public", "event_source")
        if "public" not in cls.__dict__ and cls.public:
            raise TypeError(
                f"{cls.__name__} derives from an event that other services are told of: say whether they are told of "
                "this one too, `public: ClassVar[bool] = True` or False."
            )
        if cls.event_source is not None and (cls.public or not cls.event_source.strip()):
            raise TypeError(
                f"{cls.__name__} has an event_source, so it is an event of another service: name that one, and leave "
                "`public` out, because only its own service tells of it."
            )
        if cls.event_source is None and "from_foreign" in cls.__dict__:
            raise TypeError(f"{cls.__name__} has a from_foreign(), but no event_source: say whose event it is.")

    @classmethod
    def upcast(cls, payload: dict[str, Any], version: int) -> dict[str, Any]:
        """Convert the fields of an older `version`; a new field with a default, or a removed one, needs no version."""
        return payload

    @classmethod
    def from_foreign(cls, message: dict[str, Any]) -> dict[str, Any] | None:
        """Convert other JSON to the attributes of a CloudEvent, at least `id`, `time`, `data`; None: not this event.

        By default, only a CloudEvent 1.0 is this event; the class is found by its `source` and `type` before.
        """
        return message if message.get("specversion") == "1.0" else None


class RaisedEvent(NamedTuple):
    """An event and the aggregate that raised it; `version` is the event's number in the aggregate's stream."""

    event: DomainEvent
    aggregate_type: str | None = None
    aggregate_id: str | None = None
    version: int | None = None


def require_own(event: DomainEvent) -> None:
    """Raise a ConfigurationError for an event of another service, which this one receives and must not raise."""
    if event.event_source is not None:
        raise ConfigurationError(
            f"{type(event).__name__} is an event of {event.event_source}, which this service hears of and cannot make "
            "happen: raise an event of its own."
        )


class EventRecord(Message):
    """An event as the event log stores it: with the aggregate that raised it and the metadata of its operation."""

    __slots__ = ("is_stored", "raised")  # is_stored: it was read from the log, and may be delivered again

    def __init__(
        self, raised: RaisedEvent, metadata: OperationMetadata | None = None, *, is_stored: bool = False
    ) -> None:
        self.raised, self.is_stored = raised, is_stored
        if metadata is not None:
            self._metadata = metadata

    def following(self) -> "EventRecord":
        """A copy for after-commit handlers, with a depth greater by one: messages they send are one step further on."""
        return EventRecord(self.raised, replace(self.metadata, depth=self.metadata.depth + 1), is_stored=self.is_stored)

    @property
    def event(self) -> DomainEvent:
        """The domain event."""
        return self.raised.event

    @property
    def event_type(self) -> str:
        """The event's name on the wire."""
        return self.event.event_type

    def get_aggregate_id(self) -> str | None:
        """The id of the aggregate that raised the event; None if no aggregate raised it."""
        return self.raised.aggregate_id


class AggregateRoot:
    """A domain object with an `id`; the methods that change its state check the domain rules and raise events."""

    id: Any
    version: int = 0
    """The sequence number of its last event; 0 before the first."""

    aggregate_type: ClassVar[str] = "AggregateRoot"
    """Its name in the event log: the class name, unless the class sets one that outlives the class name."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name_on_record(cls, "aggregate_type")

    def raise_event(self, event: DomainEvent) -> None:
        """Record an event of this aggregate; it is stored and published with the next commit.

        Raises:
            ConfigurationError: for an event of another service, without an id, or after the operation that loaded it.
        """
        require_own(event)
        if vars(self).get("_is_over"):
            told = f"{type(self).__name__} {self.id} is of an operation that has ended, so its events would be lost"
            raise ConfigurationError(f"{told}: load it again in this one.")
        if self.id is None:
            raise ConfigurationError(f"{type(self).__name__} needs an id before it raises {event.event_type}.")
        self.version = (self.version or 0) + 1
        raised = RaisedEvent(event, self.aggregate_type, str(self.id), self.version)
        self.__dict__.setdefault("_raised_events", []).append(raised)

    def continue_stream(self, version: int) -> None:
        """Renumber the raised events to follow `version`, the last event of a deleted aggregate with the same id."""
        raised: list[RaisedEvent] = self.__dict__.get("_raised_events", [])
        raised[:] = [event._replace(version=(event.version or 0) + version) for event in raised]
        self.version = (self.version or 0) + version

    def count_events(self) -> int:
        """The number of events raised and not yet taken."""
        return len(self.__dict__.get("_raised_events", ()))

    def drop_events(self, but: int) -> None:
        """Discard the events raised and not yet taken, except the first `but` of them."""
        del self.__dict__.get("_raised_events", [])[but:]

    def take_events(self) -> list[RaisedEvent]:
        """Remove and return the events raised since the last call."""
        return self.__dict__.pop("_raised_events", [])  # type: ignore[no-any-return]


class EventSourcedAggregate(AggregateRoot, ABC):
    """An aggregate that is stored only as its events; only `apply` changes its state, its methods raise events.

    Its `aggregate_type` is the key of its events, so each class that is not abstract has to set it.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if not isabstract(cls) and "aggregate_type" not in cls.__dict__:
            raise TypeError(
                f"{cls.__name__} is stored only as its events, which are found by its aggregate_type: add "
                f'aggregate_type = "{cls.__name__}", or, if the class was renamed, its former name.'
            )
        super().__init_subclass__(**kwargs)

    def __init__(self, id: Any) -> None:
        self.id = id

    @abstractmethod
    def apply(self, event: DomainEvent) -> None:
        """Apply an event to the state. The event has already happened, so `apply` must not refuse it."""

    def raise_event(self, event: DomainEvent) -> None:
        """Apply an event, and record it as any aggregate does."""
        require_own(event)
        self.apply(event)
        super().raise_event(event)
        vars(self).setdefault("_history", []).append(vars(self)["_raised_events"][-1])

    def replay(self, history: Iterable[RaisedEvent]) -> None:
        """Rebuild the state from stored events, given in the order in which they were raised."""
        for raised in history:
            self.apply(raised.event)
            self.version = raised.version or self.version
            vars(self).setdefault("_history", []).append(raised)
