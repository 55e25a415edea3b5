"""Savepoints of a unit of work: a rollback to one restores the state of its aggregates, events and errors, too."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from app.core.cqrs import AggregateRoot, ConfigurationError, CQRSError, EventSourcedAggregate
from app.core.cqrs.attempt import Attempt, current_attempt
from app.persistence.engine.async_savepoints import UnitAsyncSession
from app.persistence.engine.errors import final
from app.persistence.engine.guarding import Changes
from app.persistence.engine.sessions import OperationSession


class Before(NamedTuple):
    """The state of a unit of work when a savepoint was made."""

    events: dict[int, int]
    """How many events each aggregate had raised."""
    versions: dict[int, int]
    """The version of each that is event-sourced."""
    attempt: Attempt | None
    published: int
    failure: Exception | None
    changes: Changes


class SavepointSession(OperationSession):
    """A session whose savepoints restore the aggregates it references, and the first error.

    SQLAlchemy's own identity map is weak: after a flush an unreferenced aggregate would be garbage-collected, together
    with the events it raised.
    """

    async_class = UnitAsyncSession
    flags_changes_inside = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.aggregates: dict[int, AggregateRoot] = {}
        self.made: set[int] = set()
        """Those of them that are new, and mapped to a table."""
        self.unmade: set[int] = set()
        """Those of them that were made, with events, inside a savepoint that was rolled back."""
        self.changes = Changes()
        self.failure: Exception | None = None
        """The first error. It prevents the commit, unless a rollback to an earlier savepoint clears it."""
        self.before: dict[SessionTransaction, Before] = {}
        """Savepoint -> the state that a rollback to it restores."""
        self.undone: dict[SessionTransaction, Exception] = {}
        """Savepoint that was rolled back but is still open -> the error that caused the rollback."""

    def held(self) -> Iterable[AggregateRoot]:
        """All aggregates that were loaded or added."""
        return self.aggregates.values()

    def hold(self, aggregate: AggregateRoot) -> None:
        """Reference an aggregate until the end."""
        self.aggregates[id(aggregate)] = aggregate
        vars(aggregate).pop("_is_over", None)
        self._refuse_unmade(aggregate)

    def with_events(self) -> list[AggregateRoot]:
        """The aggregates that raised events; a ConfigurationError if one of them was undone."""
        found = [aggregate for aggregate in self.aggregates.values() if aggregate.count_events()]
        for aggregate in found:
            self._refuse_unmade(aggregate)
        return found

    def _refuse_unmade(self, aggregate: AggregateRoot) -> None:
        """Refuse an aggregate whose creation was undone, because the event of it is gone."""
        if id(aggregate) in self.unmade:
            raise ConfigurationError(
                f"{type(aggregate).__name__} {aggregate.id} was made inside a savepoint that was rolled back, and used "
                "after it: make a new one."
            )

    def fail(self, error: Exception) -> Exception:
        """Mark the transaction as failed, so that no part of it is committed. Returns the first error."""
        if self.failure is None:
            self.failure = final(error) if isinstance(error, CQRSError) else error
        return self.failure

    def begin_savepoint(self, savepoint: SessionTransaction) -> None:
        """Record the state before a savepoint."""
        if savepoint.nested:
            aggregates = self.aggregates.items()
            counts = {key: one.count_events() for key, one in aggregates}
            versions = {key: one.version for key, one in aggregates if isinstance(one, EventSourcedAggregate)}
            attempt = current_attempt()
            published = 0 if attempt is None else len(attempt.published)
            self.before[savepoint] = Before(counts, versions, attempt, published, self.failure, Changes(self.changes))

    def undo_savepoint(self) -> None:
        """After a rollback to a savepoint, drop the events raised since, as SQLAlchemy discards the changes."""
        if (savepoint := self.get_nested_transaction()) is None:
            return
        before = self.before[savepoint]
        self.failure, self.changes = before.failure, Changes(before.changes)
        for key, aggregate in self.aggregates.items():
            self._undo(aggregate, before.events.get(key), before.versions.get(key))
        if before.attempt is not None:
            del before.attempt.published[before.published :]

    def _undo(self, aggregate: AggregateRoot, events: int | None, version: int | None) -> None:
        raised = aggregate.count_events()
        stored = vars(aggregate).get("version", 0) - raised
        is_made = not stored if isinstance(aggregate, EventSourcedAggregate) else id(aggregate) in self.made
        if events is None and raised and is_made:
            self.unmade.add(id(aggregate))
        if isinstance(aggregate, EventSourcedAggregate):
            _rewind(aggregate, stored if version is None else version)
        aggregate.drop_events(but=events or 0)


def _rewind(aggregate: EventSourcedAggregate, version: int) -> None:
    """Restore the state of an earlier version, by replaying the events up to it."""
    state = vars(aggregate)
    earlier = type(aggregate)(aggregate.id)
    earlier.replay(raised for raised in state.get("_history", ()) if (raised.version or 0) <= version)
    raised_events = state.get("_raised_events", [])
    state.clear()
    state.update(vars(earlier), _raised_events=raised_events)


def is_unmade(session: Session, aggregate: AggregateRoot) -> bool:
    """Whether an aggregate was made inside a savepoint that was rolled back."""
    return isinstance(session, SavepointSession) and id(aggregate) in session.unmade


def _hold(session: SavepointSession, instance: object) -> None:
    if isinstance(instance, AggregateRoot):
        session.hold(instance)


for moment in ("loaded_as_persistent", "after_attach"):
    event.listen(SavepointSession, moment, _hold, propagate=True)
event.listen(SavepointSession, "after_transaction_create", SavepointSession.begin_savepoint, propagate=True)
event.listen(SavepointSession, "after_rollback", SavepointSession.undo_savepoint, propagate=True)
