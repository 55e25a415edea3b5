"""The classes of events by their name on the wire; they read events that were stored years ago."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from app.core.cqrs.errors import ConfigurationError, CQRSError
from app.core.cqrs.events import DomainEvent
from app.core.event_payloads import adapters, payload_of
from app.core.generics import path_of
from app.core.storable.types import losses
from app.core.storable.values import blamed, difference

LOOKS_LIKE_A_NAME = re.compile(r"[A-Za-z0-9._-]+")


class UnreadableEventError(CQRSError):
    """The event classes of this process cannot read a stored event; those of another release may."""


class UnreadableMessageError(CQRSError):
    """A received message belongs to one of our event classes, and no release will be able to read it."""


def normal_source(source: str) -> str:
    """Normalise a service's name for comparison: `Orders_Service` equals `orders-service`, as in package registries.

    A URI is returned unchanged.
    """
    return re.sub(r"[-_.]+", "-", source).lower() if LOOKS_LIKE_A_NAME.fullmatch(source) else source


class EventTypes:
    """The event classes that a service knows, its own and those of other services, by source and name on the wire.

    Args:
        classes: the event classes.
        service: the normalised name of this service.

    Raises:
        ConfigurationError: if two classes have the same name and source, or one names this service as its source.
    """

    def __init__(self, classes: Iterable[type[DomainEvent]], service: str = "") -> None:
        self.classes: dict[tuple[str | None, str], type[DomainEvent]] = {}
        """Source and name on the wire -> class; the source of this service's own events is None."""
        for event_class in classes:
            source = event_class.event_source and normal_source(event_class.event_source)
            if source == service:
                raise ConfigurationError(
                    f"{path_of(event_class)} has this service as its event_source, {service}: leave event_source out, "
                    "because it is only for events of other services."
                )
            known = self.classes.setdefault((source, event_class.event_type), event_class)
            if known is not event_class:
                of_whom = "" if source is None else f" of {source}"
                raise ConfigurationError(
                    f"{path_of(known)} and {path_of(event_class)} have the same event_type{of_whom}, "
                    f"{event_class.event_type}: give one of them another, because stored events are found by it."
                )

    @property
    def foreign(self) -> list[type[DomainEvent]]:
        """The classes of other services' events."""
        return [event_class for (source, _), event_class in self.classes.items() if source is not None]

    def find(self, event_type: str, source: str | None = None) -> type[DomainEvent] | None:
        """The class of this name, if there is one.

        Args:
            event_type: the name on the wire.
            source: the service that the event comes from; None: this service.
        """
        return self.classes.get((source and normal_source(source), event_type))

    def names(self, source: str) -> bool:
        """Whether there is a class for events of this service."""
        return any(known == normal_source(source) for known, _ in self.classes)

    def read(
        self, event_type: str, version: int, payload: Mapping[str, Any], source: str | None = None, **own: Any
    ) -> DomainEvent:
        """Build an event from its stored form.

        Args:
            event_type, version: its name on the wire, and the version of its class when it was written.
            payload: its fields.
            source: the service that it comes from, which may write newer events; None: this service.
            own: `event_id` and `occurred_at`.

        Raises:
            UnreadableEventError: if no class has this name, or it cannot read this, or our newer release wrote it.
        """
        event_class = self.find(event_type, source)
        if event_class is None:
            raise _unknown(event_type, source)
        if source is None and version > event_class.event_version:
            raise _newer(event_class, version)
        try:
            stored = event_class.upcast(dict(payload), version) if version < event_class.event_version else payload
            event: DomainEvent = adapters[event_class].validate_python({**stored, **own}, by_alias=True, by_name=True)
        except Exception as error:
            raise _unreadable(event_class, version, error) from error
        return event


def _unknown(event_type: str, source: str | None) -> UnreadableEventError:
    of_whom = "" if source is None else f" of {source}"
    return UnreadableEventError(
        f"No class reads the event {event_type}{of_whom}: restore it, or set "
        f'event_type = "{event_type}" in the class that replaced it.'
    )


def _newer(event_class: type[DomainEvent], version: int) -> UnreadableEventError:
    return UnreadableEventError(
        f"{path_of(event_class)} reads events up to version {event_class.event_version}, and a newer release wrote "
        f"this one in version {version}: let processes of that release handle it."
    )


def _unreadable(event_class: type[DomainEvent], version: int, error: Exception) -> UnreadableEventError:
    return UnreadableEventError(
        f"{path_of(event_class)} cannot read an event of version {version}, because of {_culprit(error)}: give new "
        "fields a default, or increase event_version and implement upcast()."
    )


def _culprit(error: Exception) -> str:
    """The cause of a failure, without the values of the event: they may be confidential."""
    if isinstance(error, ValidationError):
        return blamed(error).removeprefix(".")
    return f"{type(error).__name__} in upcast()"


def check_events(classes: Iterable[type[DomainEvent]]) -> None:
    """Refuse event classes whose events would change when they are stored and read again.

    Raises:
        ConfigurationError: if there is one; the message names each such field and says what to do.
    """
    lost = [sentence for event_class in classes for sentence in losses(event_class, is_event=True)]
    if lost:
        raise ConfigurationError("\n".join(["Events are stored as JSON, and these would be changed by that:", *lost]))


def assert_survives_storage(event: DomainEvent) -> None:
    """Assert that an event is the same after storage, and that a service with its class would start.

    Raises:
        AssertionError: if the class declares something that JSON would change.
        UnstorableError: if this event would change when it is stored and read again.
    """
    lost = losses(type(event), is_event=True)
    assert not lost, "\n".join(lost)  # an assertion of a test
    types = EventTypes([type(event)])
    own = {"event_id": event.event_id, "occurred_at": event.occurred_at}
    read = types.read(event.event_type, event.event_version, payload_of(event), event.event_source, **own)
    assert difference(event, read) is None, f"{event} is read as {read}"
