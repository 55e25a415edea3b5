"""Metadata of an operation: its caller, time and cause."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.core.ids import random_id


@dataclass(slots=True)
class OperationMetadata:
    """Context of a message beside its fields, for logs, traces, the audit trail and idempotency.

    `stored_event.TRAVELLING` lists the fields that are stored with events: all but timestamp and idempotency key.
    """

    operation_id: str = field(default_factory=random_id)
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    user_id: str | None = None
    correlation_id: str | None = None
    """Shared by all messages that follow from one external request."""
    causation_id: str | None = None
    """The id of the operation that sent this message."""
    idempotency_key: str | None = None
    source: str | None = None
    """The origin: http, websocket, cli or test; for an event of another service, the name of that service."""
    version: int = 1
    """For your own use: the bus does not read it. The schema version of an event is its own `event_version`."""
    depth: int = 0
    """How many after-commit reactions led to this message, to detect endless loops; 0 for an external request.

    `caused` keeps it. It grows when an event is passed to a reaction.
    """
    traceparent: str | None = None
    """The trace of the operation (W3C "Trace Context"); stored with events, so that reactions continue the trace."""

    def caused(self) -> "OperationMetadata":
        """Create the metadata of a message that this operation sends: same caller, with this operation as the cause."""
        return OperationMetadata(
            user_id=self.user_id,
            correlation_id=self.correlation_id or self.operation_id,
            causation_id=self.operation_id,
            source=self.source,
            depth=self.depth,
            traceparent=self.traceparent,
        )
