"""Two kinds of sessions: those of units of work, and those that can only read."""

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
        """Make sure that a transaction begins in time.

        Raises:
            ConfigurationError: nobody would commit it, or give its connection back.
        """
        if self.is_over and transaction.parent is None:
            raise ConfigurationError(
                "This session was used after its operation had ended, by a task that outlived it: await the task in "
                "the handler, or let a command of its own do this, with background(self.bus.execute_command(...))."
            )


class Before(NamedTuple):
    """What a unit of work was like when a savepoint was made."""

    events: dict[int, int]
    """How many events each aggregate had raised."""
    work: Work | None
    published: int
    failure: Exception | None
    changes: Changes


class UnitSession(OperationSession):
    """The session of a unit of work. It holds every aggregate it has seen until the end.

    It knows what failed in its transaction, whoever passed over that: PostgreSQL would answer the COMMIT with a
    ROLLBACK and no error, and SQLite would commit what there is.

    SQLAlchemy's own identity map is weak: after a flush an aggregate that nobody holds is collected, and the
    events it raised with it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.aggregates: dict[int, AggregateRoot] = {}
        self._began_at = time()
        self._new_streams: set[tuple[str, Any]] = set()
        self.may_continue_streams = False
        """Whether the next flush may number the events of new aggregates anew."""
        self._queries = 0
        """How many queries, one inside the other, are being answered."""
        self._is_spoiled = False
        self._has_begun = False
        self._before: dict[SessionTransaction, Before] = {}
        """Savepoint -> what it goes back to."""
        self.undone: dict[SessionTransaction, Exception] = {}
        """Savepoint -> why it was gone back to, while it is still open."""
        self.failure: Exception | None = None
        """What failed first; the transaction cannot be committed then, unless it goes back to a savepoint."""
        self.changes = Changes()
        self.is_of_unit = False
        """Whether a unit of work, and nobody else, commits it."""

    def flush(self, objects: Any = None) -> None:
        """Write what changed.

        Raises:
            ConcurrencyError: somebody else changed it too, and was first.
            ConfigurationError: a query changed it.
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
            else:  # to which SQLAlchemy has gone back already
                self.undone[savepoint] = error
            raise

    def commit(self) -> None:
        """Commit.

        Raises:
            ConfigurationError: that is not for a handler to do: what it does later could fail.
        """
        if self.is_of_unit and not self.is_over:
            raise ConfigurationError(
                "A handler called session.commit(): its unit of work commits, when all is done. What is to be stored "
                "whatever happens later is a command of its own."
            )
        super().commit()

    def fail(self, error: Exception) -> Exception:
        """Note that something failed which cannot be committed by half; what failed first is answered."""
        if self.failure is None:
            self.failure = final(error) if isinstance(error, CQRSError) else error
        return self.failure

    def require_whole(self) -> None:
        """Make sure that nothing failed, or that it was undone.

        Raises:
            Exception: what failed first.
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
        """A query is answered meanwhile. Begin when everything is flushed: what is changed then, the query changed.

        If it did, nothing of this session can be stored any more.

        Raises:
            ConfigurationError: the query changed something, and did not fail by itself.
        """
        if self._queries == 0:  # only then: who listens makes every statement slower
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
        """Note what there was before a savepoint."""
        if savepoint.nested:
            counts = {key: aggregate.count_events() for key, aggregate in self.aggregates.items()}
            work = current_work()
            published = 0 if work is None else len(work.published)
            self._before[savepoint] = Before(counts, work, published, self.failure, Changes(self.changes))

    def undo_savepoint(self) -> None:
        """Drop the events raised since the savepoint that is gone back to, as SQLAlchemy drops what was changed."""
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
        """There is no way back to a savepoint any more; or all is over, and not by the unit of work."""
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
        """Note whether another may have had the id of a new aggregate.

        Most ids are made in the unit itself. To know that saves a look at the log, which is a round trip.
        """
        if isinstance(instance, AggregateRoot):
            stream = instance.aggregate_type, instance.id
            self.may_continue_streams |= stream in self._new_streams or not is_made_since(self._began_at, instance.id)
            self._new_streams.add(stream)

    def look_at_changes(self, *_: Any) -> None:
        """Hold what is about to be written against the versions of the aggregates."""
        aggregates = self.aggregates.values()
        if self.may_continue_streams:
            continue_streams(self, aggregates)
            self.may_continue_streams = False
        self.changes.note(self, aggregates)

    def watch(self, transaction: SessionTransaction, connection: Connection) -> None:
        """Hear of every statement that fails."""
        self._has_begun = True
        told_of_failures[connection] = self.fail

    def _raised(self) -> int:
        return sum(aggregate.count_events() for aggregate in self.aggregates.values())


class ReadSession(OperationSession):
    """A session that refuses to write, even before the database would."""

    from_events: Sequence[AggregateRoot] = ()
    """The aggregates that were made from their events, which no row tells changes of."""
    has_transaction = False
    """Whether a transaction is to be ended with the session: each statement may be one of its own."""
    has_snapshot = False
    """Whether all statements of that transaction see the same moment."""

    def flush(self, objects: Any = None) -> None:
        """Refuse changes.

        Raises:
            ConfigurationError: something was changed.
        """
        self.refuse_changes()

    def refuse_changes(self) -> None:
        """Make sure that nothing was changed.

        Raises:
            ConfigurationError: something was; without a transaction it would be lost without a word.
        """
        happened = any(aggregate.count_events() for aggregate in self.from_events)
        if happened or _is_changed(self):
            raise read_only()


class Savepoint(AsyncSessionTransaction):
    """A savepoint that was gone back to does not end as if all had gone well."""

    async def __aexit__(self, kind: Any, error: Any, at: Any) -> None:
        savepoint, session = self.sync_transaction, cast(UnitSession, self.session.sync_session)
        undone = None if savepoint is None else session.undone.get(savepoint)
        await super().__aexit__(kind, error, at)
        if error is None and undone is not None:
            raise undone


class UnitAsyncSession(AsyncSession):
    """What handlers know of the session of a unit of work."""

    def begin_nested(self) -> Savepoint:
        """A savepoint."""
        return Savepoint(self, nested=True)


def session_on(engine: AsyncEngine, kind: type[Session]) -> AsyncSession:
    """A session of this kind on this engine."""
    make = UnitAsyncSession if kind is UnitSession else AsyncSession
    return make(engine, sync_session_class=kind, expire_on_commit=False)


async def at_one_moment(session: AsyncSession) -> None:
    """Let all statements of a query from here on see the same moment, or let it have a server-side cursor.

    PostgreSQL has to be asked, where each statement is a transaction of its own. On SQLite it is always so. In a unit
    of work its isolation level decides.
    """
    reading = session.sync_session
    if session.get_bind().dialect.name != "postgresql" or not isinstance(reading, ReadSession):
        return
    if not reading.has_snapshot:
        await session.commit()  # there is nothing to commit, but what is read next may be read at another level
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def hold(session: Session, aggregate: AggregateRoot) -> None:
    """Let a session know an aggregate that has no row, for the events it raises."""
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
    # Behind a pooler the level is always said.
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
