"""The operation in progress, found through a context variable, and the metadata of its message."""

from collections.abc import Iterator
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.core.ids import random_id


class Operation:
    """The state of a message in its pipeline; the operation of an outermost message becomes its result.

    One object serves as both, and attributes that are not set cost nothing: a second object would cost as much as
    the whole detection of nested operations.
    """

    __slots__ = ("_attempt", "_bus", "_grants", "_message", "_parent", "_token")

    _attempt: Any
    _bus: Any
    """The bus that runs the operation; None when it has ended."""
    _grants: Any
    _message: Any
    _parent: "Operation"
    _token: "Token[Operation | None] | None"

    def _is_running_here(self) -> bool:
        """Whether this operation is still open and the caller belongs to the task that opened it.

        A context variable accepts a token only in the context that created it, and every task has a context of
        its own. This distinguishes tasks without asking the event loop, which would cost more than the dispatch.
        """
        if self._token is None:
            return False
        try:
            current.reset(self._token)
        except ValueError:
            return False
        self._token = current.set(self)
        return True

    def _open(self, bus: Any, message: Any) -> None:
        """Make this the current operation."""
        self._bus, self._message = bus, message
        self._token = current.set(self)

    def _close(self) -> None:
        """End this operation, and make the one before it current again."""
        token, self._token, self._bus, self._attempt = self._token, None, None, None
        if token is not None:
            current.reset(token)


current: ContextVar[Operation | None] = ContextVar("current_operation", default=None)
"""The innermost operation; in a task that a handler started, the operation of that handler, open or ended."""

_get_current = current.get


def here() -> Operation:
    """The operation that a pipeline step works for. Steps run inside of it, so there is no need to check the task."""
    operation = _get_current()
    assert operation is not None, "a pipeline only runs inside an operation"
    return operation


def parent_of(operation: Operation) -> Operation | None:
    """The operation that this one was started from, if any."""
    return getattr(operation, "_parent", None)


def enclosing(operation: Operation) -> Iterator[Operation]:
    """An operation and the operations around it, innermost first."""
    around: Operation | None = operation
    while around is not None:
        yield around
        around = parent_of(around)


def running() -> Operation | None:
    """The open operation of the calling task, if any."""
    operation = _get_current()
    return operation if operation is not None and operation._is_running_here() else None


def current_message() -> Any:
    """The message that the calling task is handling; None if it handles none."""
    operation = running()
    return None if operation is None else operation._message


def current_bus() -> Any:
    """The bus of the message that is being handled, also in tasks that its handler started; None if there is none."""
    operation = _get_current()
    return None if operation is None else operation._bus


def is_in_progress(bus: Any, operation: Operation | None) -> bool:
    """Whether the bus still runs this operation or one around it, or background work that it started."""
    return operation is not None and any(around._bus is bus for around in enclosing(operation))


def is_elsewhere(bus: Any, operation: Operation) -> bool:
    """Whether another bus runs this operation: what this bus does is no part of it, unless it has no units of work."""
    return bus.ports.units is not None and _owner_of(operation) not in (None, bus)


def _owner_of(operation: Operation) -> Any:
    """The bus whose operation this is: one without units of work has joined the operation around it. None: it ended."""
    for around in enclosing(operation):
        if around._bus is None or around._bus.ports.units is not None:
            return around._bus
    return operation._bus


@dataclass(slots=True)
class OperationMetadata:
    """Context of a message beside its fields, for logs, traces, the audit log and idempotency.

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
    """How many after-commit reactions led to this message, to detect endless loops; 0 for an external request."""
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
