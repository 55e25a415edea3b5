"""An event as a row, and as the record that handlers get."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table

from app.core.cqrs import EventRecord, OperationMetadata, RaisedEvent
from app.core.cqrs.event_types import EventTypes, payload_of

TRAVELLING = ("operation_id", "correlation_id", "causation_id", "user_id", "source", "version", "depth", "traceparent")
"""The part of an operation's metadata that is stored with its events."""
LARGEST_VERSION = 2**31 - 1


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the event log, or of the events received from other services."""

    id: UUID
    aggregate_type: str | None
    aggregate_id: str | None
    version: int | None
    event_type: str
    event_version: int
    payload: dict[str, Any]
    metadata: dict[str, Any]
    occurred_at: datetime

    @property
    def key(self) -> str:
        """Events with the same key have an order; one without an aggregate stands for itself."""
        return str(self.id) if self.aggregate_id is None else f"{self.aggregate_type}:{self.aggregate_id}"

    def record(self, types: EventTypes, source: str | None = None) -> EventRecord:
        """The event for reactions.

        Args:
            types: the events that are known.
            source: the service that it comes from; None: this one.

        Raises:
            UnreadableEventError: its class is gone, or cannot read it.
        """
        own = {"event_id": self.id, "occurred_at": self.occurred_at}
        event = types.read(self.event_type, self.event_version, self.payload, source, **own)
        raised = RaisedEvent(event, self.aggregate_type, self.aggregate_id, self.version)
        return EventRecord(raised, self.operation(), is_stored=True)

    def operation(self) -> OperationMetadata:
        """The operation that the event happened in, as far as it is stored, and one step further on."""
        known = {name: self.metadata[name] for name in TRAVELLING if name in self.metadata}
        return OperationMetadata(**{**known, "depth": known.get("depth", 0) + 1})

    def row(self) -> dict[str, Any]:
        """The event as a row of its table."""
        return asdict(self)


def columns_of(table: Table) -> list[Column[Any]]:
    """What is read of a table to make a `StoredEvent`."""
    return [table.c[field.name] for field in fields(StoredEvent)]


def row_of(record: EventRecord) -> dict[str, Any]:
    """What is written of an event that just happened."""
    event, raised, metadata = record.event, record.raised, record.metadata
    return {
        "id": event.event_id,
        "aggregate_type": raised.aggregate_type,
        "aggregate_id": raised.aggregate_id,
        "version": raised.version,
        "event_type": event.event_type,
        "event_version": event.event_version,
        "payload": payload_of(event),
        "metadata": {name: getattr(metadata, name) for name in TRAVELLING},
        "occurred_at": event.occurred_at,
    }
