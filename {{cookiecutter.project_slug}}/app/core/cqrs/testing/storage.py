"""Whether what is stored comes back as it was."""

from app.core.cqrs.event_types import EventTypes, payload_of
from app.core.cqrs.messages import DomainEvent
from app.core.cqrs.storable_types import losses
from app.core.cqrs.storable_values import difference


def assert_survives_storage(event: DomainEvent) -> None:
    """Store an event and read it again: it has to be the same, and its class one that the service starts with.

    Raises:
        AssertionError: the class declares something that JSON would change.
        UnstorableError: this event would come back as another one.
    """
    lost = losses(type(event), is_event=True)
    assert not lost, "\n".join(lost)  # it is a test's
    types = EventTypes([type(event)])
    own = {"event_id": event.event_id, "occurred_at": event.occurred_at}
    read = types.read(event.event_type, event.event_version, payload_of(event), event.event_source, **own)
    assert difference(event, read) is None, f"{event} is read as {read}"
