"""An assertion that an event does not change when it is stored and read again."""

from app.core.cqrs.event_types import EventTypes, payload_of
from app.core.cqrs.messages import DomainEvent
from app.core.cqrs.storable_types import losses
from app.core.cqrs.storable_values import difference


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
