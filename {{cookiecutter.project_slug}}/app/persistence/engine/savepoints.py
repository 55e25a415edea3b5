"""Savepoints of a unit of work: a rollback to one restores the state of its aggregates, events and errors, too."""

from typing import Any, NamedTuple, cast

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
from sqlalchemy.orm import SessionTransaction

from app.core.cqrs import AggregateRoot, CQRSError
from app.core.cqrs.attempt import Attempt, current_attempt
from app.persistence.engine.errors import final
from app.persistence.engine.guarding import Changes
from app.persistence.engine.sessions import OperationSession


class Before(NamedTuple):
    """The state of a unit of work when a savepoint was made."""

    events: dict[int, int]
    """How many events each aggregate had raised."""
    attempt: Attempt | None
    published: int
    failure: Exception | None
    changes: Changes


class Savepoint(AsyncSessionTransaction):
    """A savepoint that raises the error of a failed flush inside it at its end, even if the error was ignored."""

    async def __aexit__(self, kind: Any, error: Any, at: Any) -> None:
        savepoint, session = self.sync_transaction, cast(SavepointSession, self.session.sync_session)
        undone = None if savepoint is None else session.undone.get(savepoint)
        await super().__aexit__(kind, error, at)
        if error is None and undone is not None:
            raise undone


class UnitAsyncSession(AsyncSession):
    """The session of a unit of work, as handlers use it."""

    def begin_nested(self) -> Savepoint:
        """Begin a savepoint, with `async with`."""
        return Savepoint(self, nested=True)


class SavepointSession(OperationSession):
    """A session whose savepoints restore the aggregates it references, and the first error.

    SQLAlchemy's own identity map is weak: after a flush an unreferenced aggregate would be garbage-collected, together
    with the events it raised.
    """

    async_class = UnitAsyncSession

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.aggregates: dict[int, AggregateRoot] = {}
        self.changes = Changes()
        self.failure: Exception | None = None
        """The first error. It prevents the commit, unless a rollback to an earlier savepoint clears it."""
        self.before: dict[SessionTransaction, Before] = {}
        """Savepoint -> the state that a rollback to it restores."""
        self.undone: dict[SessionTransaction, Exception] = {}
        """Savepoint that was rolled back but is still open -> the error that caused the rollback."""

    def hold(self, aggregate: AggregateRoot) -> None:
        """Reference an aggregate until the end."""
        self.aggregates[id(aggregate)] = aggregate

    def fail(self, error: Exception) -> Exception:
        """Mark the transaction as failed, so that no part of it is committed. Returns the first error."""
        if self.failure is None:
            self.failure = final(error) if isinstance(error, CQRSError) else error
        return self.failure

    def begin_savepoint(self, savepoint: SessionTransaction) -> None:
        """Record the state before a savepoint."""
        if savepoint.nested:
            counts = {key: aggregate.count_events() for key, aggregate in self.aggregates.items()}
            attempt = current_attempt()
            published = 0 if attempt is None else len(attempt.published)
            self.before[savepoint] = Before(counts, attempt, published, self.failure, Changes(self.changes))

    def undo_savepoint(self) -> None:
        """After a rollback to a savepoint, drop the events raised since, as SQLAlchemy discards the changes."""
        savepoint = self.get_nested_transaction()
        if savepoint is None:
            return
        before = self.before[savepoint]
        self.failure, self.changes = before.failure, Changes(before.changes)
        for key, aggregate in self.aggregates.items():
            aggregate.drop_events(but=before.events.get(key, 0))
        if before.attempt is not None:
            del before.attempt.published[before.published :]


def _hold(session: SavepointSession, instance: object) -> None:
    if isinstance(instance, AggregateRoot):
        session.hold(instance)


for moment in ("loaded_as_persistent", "after_attach"):
    event.listen(SavepointSession, moment, _hold, propagate=True)
event.listen(SavepointSession, "after_transaction_create", SavepointSession.begin_savepoint, propagate=True)
event.listen(SavepointSession, "after_rollback", SavepointSession.undo_savepoint, propagate=True)
