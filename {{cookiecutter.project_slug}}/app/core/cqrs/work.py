"""The state that one attempt of an operation shares with everything it dispatches."""

from asyncio import Task, current_task
from typing import Any

from app.core.cqrs.aggregate import EventRecord, RaisedEvent
from app.core.cqrs.dispatch import Dispatch, enclosing, running
from app.core.cqrs.errors import ConfigurationError
from app.core.cqrs.messages import IQuery
from app.core.cqrs.ports import Resolver, UnitOfWork


class Work:
    """The scope, the unit of work and the events of one attempt; each attempt has its own instance."""

    resolver: Resolver | None = None
    unit: UnitOfWork | None = None
    isolation_level: str | None = None
    may_have_committed = False
    committed: tuple[Any] | None = None
    """The answer of a committed transaction, in a tuple; only closing is left to do."""
    has_snapshot = False
    """Whether its reads come from a snapshot: the data may have been changed since."""
    _task: Task[Any] | None = None

    def __init__(self) -> None:
        self.published: list[RaisedEvent] = []
        self.stored: list[EventRecord] = []
        self.stale_tags: set[str] = set()

    def begin(self, unit: UnitOfWork, isolation_level: str | None) -> None:
        """Attach a unit of work, which the calling task then owns."""
        self.unit, self.isolation_level, self._task = unit, isolation_level, current_task()

    def join(self, name: str) -> None:
        """Ensure that the calling task may dispatch `name` in this unit of work.

        Raises:
            ConfigurationError: if another task owns it; a database connection does one thing at a time.
        """
        if self._task is not None and self._task is not current_task():
            raise ConfigurationError(
                f"{name} was dispatched while another task is working in the same unit of work. "
                "Dispatch one after the other, or start tasks of their own, which have units of work of their own."
            )

    def take_published(self) -> list[RaisedEvent]:
        """Remove and return the events that handlers published since the last call."""
        published, self.published = self.published, []
        return published


def work_of(dispatch: Dispatch) -> Work | None:
    """The work of a dispatch; None if it has none yet."""
    work: Work | None = getattr(dispatch, "_work", None)
    return work


def current_work() -> Work | None:
    """The work of the dispatch that the calling task is in, if any."""
    dispatch = running()
    return None if dispatch is None else work_of(dispatch)


def refuse_in_query(dispatch: Dispatch, what: str) -> None:
    """Ensure that a dispatch does not answer a query.

    Raises:
        ConfigurationError: if it does, because a query must not change anything.
    """
    query = dispatch._message
    if isinstance(query, IQuery):
        raise ConfigurationError(
            f"{type(query).__name__} is a query and {what}: a query changes nothing. Let a command do it after the "
            "query, or make the query a command."
        )


def refuse_in_task(started_by: Dispatch, what: str) -> None:
    """Ensure that a task started by a handler may change something: the handler's operation must have ended.

    Otherwise the changes of the task would be stored even if the operation is rolled back, and a failure of the task
    would go unnoticed. If a unit of work is open, its commit is prevented.

    Raises:
        ConfigurationError: if the operation has not ended, and has an uncommitted unit of work or is a query.
    """
    for around in enclosing(started_by):
        if around._token is None:
            continue
        refuse_in_query(around, what)
        work = work_of(around)
        if work is not None and work.unit is not None and work.committed is None:
            error = ConfigurationError(
                f"A task of its own {what}, while the transaction of the handler that started it is open, which it "
                "cannot join: await it in the handler itself, without gather(), create_task() or, in Python 3.11, "
                "wait_for() (asyncio.timeout() makes no task); or start it as an operation of its own that "
                "outlives this one, with background(...)."
            )
            work.unit.doom(error)
            raise error
