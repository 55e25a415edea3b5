"""Events as plain data: how they are written to the event log, and read again years later."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.core.cqrs.errors import ConfigurationError, CQRSError
from app.core.cqrs.messages import DomainEvent

OWN_COLUMNS = {"event_id", "occurred_at"}
"""What stands beside the payload, and not in it."""


class UnreadableEventError(CQRSError):
    """A stored event that the classes of this process cannot read; those of another release may."""


class UnreadableMessageError(CQRSError):
    """What came from the broker is no event of ours, and no release will read it."""


class Adapters(dict[type[DomainEvent], TypeAdapter[Any]]):
    """Event class -> what writes it as plain data and reads it again, made when it is first needed."""

    def __missing__(self, event_class: type[DomainEvent]) -> TypeAdapter[Any]:
        adapter = self[event_class] = TypeAdapter(event_class)
        return adapter


adapters = Adapters()


def payload_of(event: DomainEvent) -> dict[str, Any]:
    """The fields of an event as JSON has them."""
    payload: dict[str, Any] = adapters[type(event)].dump_python(event, mode="json", exclude=OWN_COLUMNS)
    return payload


class EventTypes:
    """The events of one service, by their names on the wire.

    Args:
        classes: the classes of events.

    Raises:
        ConfigurationError: two of them have the same name.
    """

    def __init__(self, classes: Iterable[type[DomainEvent]]) -> None:
        self._classes: dict[str, type[DomainEvent]] = {}
        for event_class in classes:
            known = self._classes.setdefault(event_class.event_type, event_class)
            if known is not event_class:
                raise ConfigurationError(
                    f"{_name(known)} and {_name(event_class)} have the same event_type, {event_class.event_type}: "
                    "give one of them another, because stored events are found by it."
                )

    def knows(self, event_type: str) -> bool:
        """Whether there is a class for this name."""
        return event_type in self._classes

    def read(self, event_type: str, version: int, payload: Mapping[str, Any], **own: Any) -> DomainEvent:
        """An event as it was written.

        Args:
            event_type: its name on the wire.
            version: the version of the shape it was written in.
            payload: its fields.
            own: `event_id` and `occurred_at`.

        Raises:
            UnreadableEventError: no class has this name, or its class cannot read the payload.
        """
        event_class = self._classes.get(event_type)
        if event_class is None:
            raise UnreadableEventError(
                f"No class reads the event {event_type}: bring it back, or give the one that took its place "
                f'event_type = "{event_type}".'
            )
        fields = dict(payload)
        try:
            if version < event_class.event_version:
                fields = event_class.upcast(fields, version)
            event: DomainEvent = adapters[event_class].validate_python({**fields, **own})
        except Exception as error:
            raise UnreadableEventError(
                f"{_name(event_class)} cannot read an event of version {version}, because of {_culprit(error)}: give "
                "new fields a default, or count event_version up and write upcast()."
            ) from error
        return event


def _culprit(error: Exception) -> str:
    """What is wrong, without the values: they are nobody's business."""
    if isinstance(error, ValidationError):
        return ", ".join(".".join(map(str, wrong["loc"])) for wrong in error.errors(include_input=False))
    return f"{type(error).__name__} in upcast()"


def _name(event_class: type[DomainEvent]) -> str:
    return f"{event_class.__module__}.{event_class.__qualname__}"
