"""What a tracked run notes, with how it ended."""

from dataclasses import dataclass
from typing import Any

from app.core.cqrs.errors import CQRSError
from app.core.cqrs.messages import DomainEvent, ICommand, IQuery, name_of
from app.core.cqrs.results import OperationResult
from app.core.cqrs.status import OperationStatus


@dataclass(eq=False)
class Sent:
    """A command or query that entered the bus, and how it ended."""

    message: ICommand[Any] | IQuery[Any]
    is_nested: bool = False
    """Whether a handler waits for it, so that it is part of the same work."""
    result: OperationResult[Any] | None = None
    error: BaseException | None = None
    """What it raised instead of a result, as it does inside a handler."""
    is_running: bool = True

    @property
    def status(self) -> OperationStatus | None:
        """How it ended; None while it runs."""
        if self.result is not None:
            return self.result.status
        if isinstance(self.error, CQRSError):
            return self.error.status
        return None if self.error is None else OperationStatus.FAILED

    def __str__(self) -> str:
        return f"{name_of(self.message)} is running"


@dataclass(eq=False)
class Handled:
    """One reaction to an event, in a transaction or after it, and what went wrong in it."""

    event: DomainEvent
    handler: type
    error: BaseException | None = None
    is_running: bool = True

    def __str__(self) -> str:
        return f"{self.handler.__name__} is running for {self.event.event_type}"
