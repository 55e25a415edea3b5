"""The session of a unit of work: it remembers errors and changes, and refuses what only its unit of work may do."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import time
from typing import Any

import structlog
from sqlalchemy import Connection, event, text
from sqlalchemy.orm import ORMExecuteState, SessionTransaction
from sqlalchemy.orm.exc import StaleDataError

from app.core.cqrs import AggregateRoot, ConcurrencyError, ConfigurationError
from app.persistence.engine.errors import told_of_failures
from app.persistence.engine.guarding import continue_streams, is_made_since
from app.persistence.engine.lost_changes import WholeStates, flag_changes_inside
from app.persistence.engine.savepoints import SavepointSession

logger = structlog.get_logger(__name__)


class UnitSession(WholeStates, SavepointSession):
    """The session of a unit of work.

    It remembers errors in its transaction, even those that a handler caught and ignored: PostgreSQL would answer the
    COMMIT with a ROLLBACK and no error, and SQLite would commit the rest.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._began_at = time()
        self._new_streams: set[tuple[str, Any]] = set()
        self.may_continue_streams = False
        """Whether the next flush must look for earlier streams of new aggregates, and may renumber their events."""
        self._queries = 0
        """Nesting depth of queries running in this unit of work."""
        self._is_spoiled = False
        self._has_begun = False
        self.is_of_unit = False
        """Whether a unit of work owns this session, so that handlers must not commit it."""

    def flush(self, objects: Any = None) -> None:
        """Write changes to the database.

        Raises:
            ConcurrencyError: if another transaction changed or deleted one of the rows first.
            ConfigurationError: if a query made changes.
        """
        flag_changes_inside(self)
        if self._is_spoiled or (self._queries and self.is_changed()):
            raise _changed_by_query()
        try:
            super().flush(objects)
        except StaleDataError as error:
            stale = ConcurrencyError("Somebody else changed or deleted this in the meantime: read it again.")
            raise self.fail(stale) from error
        except Exception as error:
            if (savepoint := self.get_nested_transaction()) is None:
                self.fail(error)
            else:  # SQLAlchemy has already rolled back to it
                self.undone[savepoint] = error
            raise

    def require_committable(self, *, is_rehearsal: bool) -> None:
        """Do what precedes the COMMIT; a rehearsal also checks the constraints that PostgreSQL defers to it."""
        self.flush()
        self.require_whole()
        self.changes.require_events()
        if is_rehearsal and self.in_transaction() and self.get_bind().dialect.name == "postgresql":
            self.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

    def admit_commit(self) -> None:
        """Make sure that nothing failed, and that it is not a handler that ends the transaction.

        Raises:
            ConfigurationError: if it is one: only its unit of work commits, since later steps may fail.
        """
        if self.is_of_unit and not self.is_over and self.get_nested_transaction() is None:
            raise ConfigurationError(
                "A handler called session.commit() or session.begin(): its unit of work commits at the end. Let a "
                "command of its own store what must survive a later failure."
            )
        self.require_whole()

    def require_whole(self) -> None:
        """Make sure that nothing failed, except where a savepoint undid it.

        Raises:
            Exception: the first error, if there is one.
        """
        if self.failure is not None:
            logger.warning(
                "commit_refused",
                reason="An error was caught and ignored, so nothing can be committed. What may fail belongs in "
                "`async with savepoint():`, which undoes it.",
                error_type=type(self.failure).__name__,
                error=str(self.failure),
            )
            raise self.failure

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Run a query inside this unit of work. Flush first: all changes found afterwards count as the query's.

        If the query made changes, nothing in this session can be stored any more.

        Raises:
            ConfigurationError: if the query made changes and raised no error of its own.
        """
        if self._queries == 0:  # only during queries: the listener slows down every statement
            event.listen(self, "do_orm_execute", _refuse_change)
        self._queries += 1
        raised = self._raised()
        try:
            yield
        finally:
            self._queries -= 1
            if self._queries == 0:
                event.remove(self, "do_orm_execute", _refuse_change)
            flag_changes_inside(self)
            self._is_spoiled |= self.is_changed() or self._raised() != raised
        if self._is_spoiled:
            raise _changed_by_query()

    def end_transaction(self, transaction: SessionTransaction) -> None:
        """Forget an ended savepoint. If a handler ended the whole transaction, mark the unit of work as failed."""
        self.before.pop(transaction, None)
        self.undone.pop(transaction, None)
        if transaction.parent is not None or self.is_over:
            return
        if not self.is_of_unit:
            self.failure = None
        elif self._has_begun:
            ended = ConfigurationError(
                "A handler ended the transaction of its unit of work, with session.rollback() or session.close(): undo "
                "a part with `async with savepoint():`, or raise an error to undo everything."
            )
            self.fail(ended)

    def note_new(self, instance: object) -> None:
        """Record whether an earlier, deleted aggregate may have had the id of a new one.

        Most ids are created within the unit of work. Recognising them saves a query of the log, which is a round trip.
        """
        if isinstance(instance, AggregateRoot):
            self.made.add(id(instance))
            stream = instance.aggregate_type, instance.id
            self.may_continue_streams |= stream in self._new_streams or not is_made_since(self._began_at, instance.id)
            self._new_streams.add(stream)

    def look_at_changes(self, *_: Any) -> None:
        """Before a flush, record which aggregates it changes, and whether their versions move."""
        if self.may_continue_streams:
            continue_streams(self, self.aggregates.values())
            self.may_continue_streams = False
        self.changes.note(self, self.aggregates.values())

    def watch(self, transaction: SessionTransaction, connection: Connection) -> None:
        """Register `fail` for every failing statement of this connection."""
        self._has_begun = True
        told_of_failures[connection] = self.fail

    def _raised(self) -> int:
        return sum(aggregate.count_events() for aggregate in self.aggregates.values())


def _changed_by_query() -> ConfigurationError:
    return ConfigurationError("A query inside a transaction changed something, but queries only read: use a command.")


def _refuse_change(statement: ORMExecuteState) -> None:
    if statement.is_insert or statement.is_update or statement.is_delete:
        raise _changed_by_query()


event.listen(UnitSession, "transient_to_pending", UnitSession.note_new)
event.listen(UnitSession, "after_begin", UnitSession.watch)
event.listen(UnitSession, "before_flush", UnitSession.look_at_changes)
event.listen(UnitSession, "before_commit", UnitSession.admit_commit)
event.listen(UnitSession, "after_transaction_end", UnitSession.end_transaction)
