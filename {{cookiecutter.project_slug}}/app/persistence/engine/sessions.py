"""Two kinds of sessions: sessions of units of work, and read-only sessions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import time
from typing import Any, NamedTuple, cast

import structlog
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, AsyncSessionTransaction
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction
from sqlalchemy.orm.exc import StaleDataError

from app.core.cqrs import AggregateRoot, ConcurrencyError, ConfigurationError, CQRSError
from app.core.cqrs.work import Work, current_work
from app.persistence.engine.errors import final, read_only, told_of_failures
from app.persistence.engine.guarding import Changes, continue_streams, is_made_since

logger = structlog.get_logger(__name__)


class OperationSession(Session):
    """A session that ends with the operation it was made for."""

    is_over = False

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


class Before(NamedTuple):
    """The state of a unit of work when a savepoint was made."""

    events: dict[int, int]
    """How many events each aggregate had raised."""
    work: Work | None
    published: int
    failure: Exception | None
    changes: Changes


class UnitSession(OperationSession):
    """The session of a unit of work. It references every aggregate it has seen until the end.

    It remembers errors in its transaction, even those that a handler caught and ignored: PostgreSQL would answer the
    COMMIT with a ROLLBACK and no error, and SQLite would commit the rest.

    SQLAlchemy's own identity map is weak: after a flush an unreferenced aggregate would be garbage-collected, together
    with the events it raised.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.aggregates: dict[int, AggregateRoot] = {}
        self._began_at = time()
        self._new_streams: set[tuple[str, Any]] = set()
        self.may_continue_streams = False
        """Whether the next flush must look for earlier streams of new aggregates, and may renumber their events."""
        self._queries = 0
        """Nesting depth of queries running in this unit of work."""
        self._is_spoiled = False
        self._has_begun = False
        self._before: dict[SessionTransaction, Before] = {}
        """Savepoint -> the state that a rollback to it restores."""
        self.undone: dict[SessionTransaction, Exception] = {}
        """Savepoint that was rolled back but is still open -> the error that caused the rollback."""
        self.failure: Exception | None = None
        """The first error. It prevents the commit, unless a rollback to an earlier savepoint clears it."""
        self.changes = Changes()
        self.is_of_unit = False
        """Whether a unit of work owns this session, so that handlers must not commit it."""

    def flush(self, objects: Any = None) -> None:
        """Write changes to the database.

        Raises:
            ConcurrencyError: if another transaction changed or deleted one of the rows first.
            ConfigurationError: if a query made changes.
        """
        if self._is_spoiled or (self._queries and _is_changed(self)):
            raise _changed_by_query()
        try:
            super().flush(objects)
        except StaleDataError as error:
            stale = ConcurrencyError("Somebody else changed or deleted this in the meantime: read it again.")
            raise self.fail(final(stale)) from error
        except Exception as error:
            savepoint = self.get_nested_transaction()
            if savepoint is None:
                self.fail(error)
            else:  # SQLAlchemy has already rolled back to it
                self.undone[savepoint] = error
            raise

    def commit(self) -> None:
        """Commit.

        Raises:
            ConfigurationError: if a handler calls this: only its unit of work commits, since later steps may fail.
        """
        if self.is_of_unit and not self.is_over:
            raise ConfigurationError(
                "A handler called session.commit(): its unit of work commits, when all is done. What is to be stored "
                "whatever happens later is a command of its own."
            )
        super().commit()

    def fail(self, error: Exception) -> Exception:
        """Mark the transaction as failed, so that no part of it is committed. Returns the first error."""
        if self.failure is None:
            self.failure = final(error) if isinstance(error, CQRSError) else error
        return self.failure

    def require_whole(self) -> None:
        """Make sure that nothing failed, except where a savepoint undid it.

        Raises:
            Exception: the first error, if there is one.
        """
        if self.failure is not None:
            logger.warning(
                "commit_refused",
                reason="An error was passed over, after which nothing can be committed. What may fail is done in "
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
            self._is_spoiled |= _is_changed(self) or self._raised() != raised
        if self._is_spoiled:
            raise _changed_by_query()

    def begin_savepoint(self, savepoint: SessionTransaction) -> None:
        """Record the state before a savepoint."""
        if savepoint.nested:
            counts = {key: aggregate.count_events() for key, aggregate in self.aggregates.items()}
            work = current_work()
            published = 0 if work is None else len(work.published)
            self._before[savepoint] = Before(counts, work, published, self.failure, Changes(self.changes))

    def undo_savepoint(self) -> None:
        """After a rollback to a savepoint, drop the events raised since, as SQLAlchemy discards the changes."""
        savepoint = self.get_nested_transaction()
        if savepoint is None:
            return
        before = self._before[savepoint]
        self.failure, self.changes = before.failure, Changes(before.changes)
        for key, aggregate in self.aggregates.items():
            aggregate.drop_events(but=before.events.get(key, 0))
        if before.work is not None:
            del before.work.published[before.published :]

    def end_transaction(self, transaction: SessionTransaction) -> None:
        """Forget an ended savepoint. If a handler ended the whole transaction, mark the unit of work as failed."""
        self._before.pop(transaction, None)
        self.undone.pop(transaction, None)
        if transaction.parent is not None or self.is_over:
            return
        if not self.is_of_unit:
            self.failure = None
        elif self._has_begun:
            self.fail(
                ConfigurationError(
                    "A handler ended the transaction of its unit of work, with session.rollback() or session.close(): "
                    "undo a part with `async with savepoint():`, or raise an error to undo everything."
                )
            )

    def note_new(self, instance: object) -> None:
        """Record whether an earlier, deleted aggregate may have had the id of a new one.

        Most ids are created within the unit of work. Recognising them saves a query of the log, which is a round trip.
        """
        if isinstance(instance, AggregateRoot):
            stream = instance.aggregate_type, instance.id
            self.may_continue_streams |= stream in self._new_streams or not is_made_since(self._began_at, instance.id)
            self._new_streams.add(stream)

    def look_at_changes(self, *_: Any) -> None:
        """Before a flush, record which aggregates it changes, and whether their versions move."""
        aggregates = self.aggregates.values()
        if self.may_continue_streams:
            continue_streams(self, aggregates)
            self.may_continue_streams = False
        self.changes.note(self, aggregates)

    def watch(self, transaction: SessionTransaction, connection: Connection) -> None:
        """Register `fail` for every failing statement of this connection."""
        self._has_begun = True
        told_of_failures[connection] = self.fail

    def _raised(self) -> int:
        return sum(aggregate.count_events() for aggregate in self.aggregates.values())


class ReadSession(OperationSession):
    """A session that refuses to write, even before the database would."""

    from_events: Sequence[AggregateRoot] = ()
    """The event-sourced aggregates that were loaded: they have no rows that would show changes."""
    has_transaction = False
    """Whether a transaction must be ended with the session; in autocommit mode there is none."""
    has_snapshot = False
    """Whether all statements of that transaction read from one snapshot."""

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
        if happened or _is_changed(self):
            raise read_only()


class Savepoint(AsyncSessionTransaction):
    """A savepoint that raises the error of a failed flush inside it at its end, even if the error was ignored."""

    async def __aexit__(self, kind: Any, error: Any, at: Any) -> None:
        savepoint, session = self.sync_transaction, cast(UnitSession, self.session.sync_session)
        undone = None if savepoint is None else session.undone.get(savepoint)
        await super().__aexit__(kind, error, at)
        if error is None and undone is not None:
            raise undone


class UnitAsyncSession(AsyncSession):
    """The session of a unit of work, as handlers use it."""

    def begin_nested(self) -> Savepoint:
        """Begin a savepoint, with `async with`."""
        return Savepoint(self, nested=True)


def session_on(engine: AsyncEngine, kind: type[Session]) -> AsyncSession:
    """A session of this kind on this engine."""
    make = UnitAsyncSession if kind is UnitSession else AsyncSession
    return make(engine, sync_session_class=kind, expire_on_commit=False)


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
    if isinstance(session, UnitSession):
        session.aggregates[id(aggregate)] = aggregate
    elif isinstance(session, ReadSession):
        session.from_events = (*session.from_events, aggregate)


def _is_changed(session: Session) -> bool:
    return bool(session.new or session.deleted) or any(map(session.is_modified, session.dirty))


def _changed_by_query() -> ConfigurationError:
    return ConfigurationError(
        "A query that was asked inside a transaction changed something: queries only read. Let a command do it."
    )


def _refuse_change(statement: ORMExecuteState) -> None:
    if statement.is_insert or statement.is_update or statement.is_delete:
        raise _changed_by_query()


def _hold(session: Session, instance: object) -> None:
    if isinstance(session, UnitSession) and isinstance(instance, AggregateRoot):
        session.aggregates[id(instance)] = instance


def _note_transaction(session: ReadSession, _: Any, connection: Connection) -> None:
    driver = connection.connection.dbapi_connection
    session.has_transaction = not getattr(driver, "autocommit", False)
    # Behind a pooler the isolation level is always explicit.
    session.has_snapshot = session.has_transaction and getattr(driver, "isolation_level", None) != "read_committed"
    if session.has_snapshot and (work := current_work()) is not None:
        work.has_snapshot = True


event.listen(ReadSession, "after_begin", _note_transaction)
event.listen(UnitSession, "loaded_as_persistent", _hold)
event.listen(UnitSession, "after_attach", _hold)
event.listen(UnitSession, "transient_to_pending", UnitSession.note_new)
event.listen(UnitSession, "after_begin", UnitSession.watch)
event.listen(UnitSession, "before_flush", UnitSession.look_at_changes)
event.listen(UnitSession, "before_commit", UnitSession.require_whole)
event.listen(UnitSession, "after_transaction_create", UnitSession.begin_savepoint)
event.listen(UnitSession, "after_rollback", UnitSession.undo_savepoint)
event.listen(UnitSession, "after_transaction_end", UnitSession.end_transaction)
event.listen(OperationSession, "after_transaction_create", OperationSession.refuse_if_over, propagate=True)
