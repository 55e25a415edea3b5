"""Sessions that end with their operation: the base of all, and read-only sessions."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, ClassVar

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from app.core.cqrs import AggregateRoot, ConfigurationError
from app.core.cqrs.attempt import current_attempt
from app.persistence.engine.errors import read_only


class OperationSession(Session, ABC):
    """A session that ends with the operation it was made for."""

    is_over = False
    async_class: ClassVar[type[AsyncSession]] = AsyncSession
    """The class in which handlers see this session."""

    def close(self) -> None:
        """End the session, and refuse later events of its aggregates: nothing would store them."""
        for instance in (*self.identity_map.values(), *self.held()):
            if isinstance(instance, AggregateRoot):
                vars(instance)["_is_over"] = True
        super().close()

    @abstractmethod
    def held(self) -> Iterable[AggregateRoot]:
        """The aggregates whose events are seen."""

    @abstractmethod
    def hold(self, aggregate: AggregateRoot) -> None:
        """Register an aggregate, so that the events it raises are seen."""

    def is_changed(self) -> bool:
        """Whether there are changes that were not flushed."""
        return bool(self.new or self.deleted) or any(map(self.is_modified, self.dirty))

    def refuse_if_over(self, transaction: SessionTransaction) -> None:
        """Make sure that no transaction begins after the operation has ended.

        Raises:
            ConfigurationError: if one would begin: nothing would commit it or return its connection.
        """
        if self.is_over and transaction.parent is None:
            raise ConfigurationError(
                "This session was used after its operation had ended, by a task that outlived it: await the task in "
                "the handler, or let a command of its own do this, with background(self.bus.execute_command(...))."
            )


class ReadSession(OperationSession):
    """A session that refuses to write, even before the database would."""

    from_events: Sequence[AggregateRoot] = ()
    """The event-sourced aggregates that were loaded: they have no rows that would show changes."""
    has_transaction = False
    """Whether a transaction must be ended with the session; in autocommit mode there is none."""
    has_snapshot = False
    """Whether all statements of that transaction read from one snapshot."""

    def held(self) -> Sequence[AggregateRoot]:
        """The aggregates whose events are seen."""
        return self.from_events

    def hold(self, aggregate: AggregateRoot) -> None:
        """Register an aggregate, so that the events it raises are refused."""
        self.from_events = (*self.from_events, aggregate)

    def flush(self, objects: Any = None) -> None:
        """Refuse changes.

        Raises:
            ConfigurationError: if there are any.
        """
        self.refuse_changes()

    def refuse_changes(self) -> None:
        """Make sure that nothing was changed.

        Raises:
            ConfigurationError: if something was: without a transaction the change would be lost silently.
        """
        happened = any(aggregate.count_events() for aggregate in self.from_events)
        if happened or self.is_changed():
            raise read_only(is_writer=False)


def session_on(engine: AsyncEngine, kind: type[OperationSession]) -> AsyncSession:
    """A session of this kind on this engine."""
    return kind.async_class(engine, sync_session_class=kind, expire_on_commit=False)


async def close(session: AsyncSession, *, has_connection: bool) -> None:
    """Close a session; its connection is returned first, even while the caller is being cancelled."""
    if has_connection:
        await finished(session.close())
    else:  # there is nothing to wait for
        session.sync_session.close()


async def finished(work: Coroutine[Any, Any, Any]) -> None:
    """Await work that must be finished; a cancellation is raised after it."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def at_one_moment(session: AsyncSession) -> None:
    """From here on, run the statements of a query on one snapshot. A server-side cursor needs this, too.

    On PostgreSQL this begins a REPEATABLE READ transaction; otherwise each statement has a snapshot of its own.
    On SQLite queries always read from one snapshot. In a unit of work, its isolation level decides.
    """
    reading = session.sync_session
    if session.get_bind().dialect.name != "postgresql" or not isinstance(reading, ReadSession):
        return
    if not reading.has_snapshot:
        await session.commit()  # ends a transaction without writes, so that the next can have another level
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def hold(session: Session, aggregate: AggregateRoot) -> None:
    """Register an aggregate without a row with its session, which otherwise would not see the events it raises."""
    if isinstance(session, OperationSession):
        session.hold(aggregate)


def _note_transaction(session: ReadSession, _: Any, connection: Connection) -> None:
    driver = connection.connection.dbapi_connection
    session.has_transaction = not getattr(driver, "autocommit", False)
    # Behind a pooler the isolation level is always explicit.
    session.has_snapshot = session.has_transaction and getattr(driver, "isolation_level", None) != "read_committed"
    if session.has_snapshot and (attempt := current_attempt()) is not None:
        attempt.reads_snapshot = True


event.listen(ReadSession, "after_begin", _note_transaction)
event.listen(OperationSession, "after_transaction_create", OperationSession.refuse_if_over, propagate=True)
