"""Metadata of an operation: its caller, time and cause."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.core.ids import random_id


@dataclass(slots=True)
class OperationMetadata:
    """Context of a message beside its fields: it goes into logs, spans, the audit trail and stored events."""

    operation_id: str = field(default_factory=random_id)
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    user_id: str | None = None
    correlation_id: str | None = None
    """Shared by all messages that follow from one external request."""
    causation_id: str | None = None
    """The id of the operation that sent this message."""
    idempotency_key: str | None = None
    source: str | None = None
    """The origin of the message, such as http, websocket, worker, cli or test."""
    version: int = 1
    """The version of the message's schema."""
    depth: int = 0
    """The number of after-commit reactions in the chain that led here: 0 for an external request."""
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
