"""Converts events between rows of a table and the records that handlers receive."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table

from app.core.cqrs import EventRecord, OperationMetadata, RaisedEvent
from app.core.event_payloads import payload_of
from app.core.event_types import EventTypes

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
        """The ordering key: events with the same key are ordered. Without an aggregate it is the event's own id."""
        return str(self.id) if self.aggregate_id is None else f"{self.aggregate_type}:{self.aggregate_id}"

    def record(self, types: EventTypes, source: str | None = None) -> EventRecord:
        """The event as the record that reactions receive.

        Args:
            types: the known event classes.
            source: the service that sent the event; None for this service.

        Raises:
            UnreadableEventError: if the event's class no longer exists, or cannot read it.
        """
        own = {"event_id": self.id, "occurred_at": self.occurred_at}
        event = types.read(self.event_type, self.event_version, self.payload, source, **own)
        raised = RaisedEvent(event, self.aggregate_type, self.aggregate_id, self.version)
        return EventRecord(raised, self.operation(), is_stored=True)

    def operation(self) -> OperationMetadata:
        """The stored metadata of the operation that raised the event, with the causation depth increased by one."""
        known = {name: self.metadata[name] for name in TRAVELLING if name in self.metadata}
        return OperationMetadata(**{**known, "depth": known.get("depth", 0) + 1})

    def row(self) -> dict[str, Any]:
        """The event as a row of its table."""
        return asdict(self)


def columns_of(table: Table) -> list[Column[Any]]:
    """The columns of a table that make up a `StoredEvent`."""
    return [table.c[field.name] for field in fields(StoredEvent)]


def row_of(record: EventRecord) -> dict[str, Any]:
    """The row of the event log for an event that was just raised."""
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
