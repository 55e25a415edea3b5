"""What one attempt of an operation shares with everything it dispatches."""

from asyncio import Task, current_task
from typing import Any

from app.core.cqrs.aggregate import EventRecord, RaisedEvent
from app.core.cqrs.dispatch import Dispatch, running
from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.ports import Resolver, UnitOfWork


class Work:
    """The scope, the unit of work and the events of one attempt; a new attempt starts with a new one."""

    resolver: Resolver | None = None
    unit: UnitOfWork | None = None
    isolation_level: str | None = None
    may_have_committed = False
    has_snapshot = False
    """Whether what it reads is as of a moment that has passed: somebody may have changed it since."""
    _task: Task[Any] | None = None

    def __init__(self) -> None:
        self.published: list[RaisedEvent] = []
        self.stored: list[EventRecord] = []
        self.stale_tags: set[str] = set()

    def begin(self, unit: UnitOfWork, isolation_level: str | None) -> None:
        """Everything done from now on belongs to this unit of work."""
        self.unit, self.isolation_level, self._task = unit, isolation_level, current_task()

    def join(self, name: str) -> None:
        """Make sure that `name` may be done in this unit of work.

        Raises:
            ConfigurationError: another task has it; a database connection does one thing at a time.
        """
        if self._task is not None and self._task is not current_task():
            raise ConfigurationError(
                f"{name} was dispatched while another task is working in the same unit of work. "
                "Dispatch one after the other, or start tasks of their own, which have units of work of their own."
            )

    def take_published(self) -> list[RaisedEvent]:
        """The events that handlers published since the last call."""
        published, self.published = self.published, []
        return published


def work_of(dispatch: Dispatch) -> Work | None:
    """The work of a dispatch, if it has come that far."""
    work: Work | None = getattr(dispatch, "_work", None)
    return work


def current_work() -> Work | None:
    """The work that the calling task is in, if any."""
    dispatch = running()
    return None if dispatch is None else work_of(dispatch)
