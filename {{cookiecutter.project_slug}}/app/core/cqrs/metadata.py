"""Who asked for an operation, when and why."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.core.cqrs.ids import random_id


@dataclass(slots=True)
class OperationMetadata:
    """What travels with a message beside its fields: into logs, spans, the audit trail and stored events."""

    operation_id: str = field(default_factory=random_id)
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    user_id: str | None = None
    correlation_id: str | None = None
    """Shared by everything that one outside request led to."""
    causation_id: str | None = None
    """The operation that sent this message."""
    idempotency_key: str | None = None
    source: str | None = None
    """What sent it: http, worker, cli, test."""
    version: int = 1
    """The version of the message's shape."""
    depth: int = 0
    """How many events, each of which another reacted to, led here: 0 for what somebody asked for."""
    traceparent: str | None = None
    """The trace that this is part of, as in W3C's "Trace Context"; stored with events, so that it goes on there."""

    def caused(self) -> "OperationMetadata":
        """The metadata of a message that this operation sends: the same caller, one step further on."""
        return OperationMetadata(
            user_id=self.user_id,
            correlation_id=self.correlation_id or self.operation_id,
            causation_id=self.operation_id,
            source=self.source,
            depth=self.depth,
            traceparent=self.traceparent,
        )
