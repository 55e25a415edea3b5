"""The entries of a tracked run, each with its outcome."""

from dataclasses import dataclass
from typing import Any

from app.core.cqrs import CQRSError, DomainEvent, ICommand, IQuery, OperationResult, OperationStatus
from app.core.cqrs.messages import name_of


@dataclass(eq=False)
class Sent:
    """A command or query that entered the bus, and its outcome."""

    message: ICommand[Any] | IQuery[Any]
    is_nested: bool = False
    """Whether a handler awaits it, so that it may join the work of that handler."""
    result: OperationResult[Any] | None = None
    error: BaseException | None = None
    """The exception it raised instead of returning a result, as inside a handler."""
    is_running: bool = True

    @property
    def status(self) -> OperationStatus | None:
        """The status with which it ended; None while it runs."""
        if self.result is not None:
            return self.result.status
        if isinstance(self.error, CQRSError):
            return self.error.status
        return None if self.error is None else OperationStatus.FAILED

    def __str__(self) -> str:
        return f"{name_of(self.message)} is running"


@dataclass(eq=False)
class Handled:
    """One run of an event handler, in the transaction or after it, with its error if it failed."""

    event: DomainEvent
    handler: type
    error: BaseException | None = None
    is_running: bool = True

    def __str__(self) -> str:
        return f"{self.handler.__name__} is running for {self.event.event_type}"
