"""Two kinds of sessions: those of units of work, and those that can only read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction
from sqlalchemy.orm.exc import StaleDataError

from app.core.cqrs import AggregateRoot, ConcurrencyError, ConfigurationError
from app.core.cqrs.work import current_work
from app.persistence.errors import final, read_only


class UnitSession(Session):
    """The session of a unit of work. It holds every aggregate it has seen until the end.

    SQLAlchemy's own identity map is weak: after a flush an aggregate that nobody holds is collected, and the
    events it raised with it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.aggregates: dict[int, AggregateRoot] = {}
        self._queries = 0
        """How many queries, one inside the other, are being answered."""
        self._is_spoiled = False
        self._raised_before: dict[SessionTransaction, dict[int, int]] = {}
        """Savepoint -> how many events each aggregate had raised before it."""

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
            raise final(ConcurrencyError("Somebody else changed this in the meantime: read it again.")) from error

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
        """Note which events were raised before a savepoint."""
        if savepoint.nested:
            counts = {key: aggregate.count_events() for key, aggregate in self.aggregates.items()}
            self._raised_before[savepoint] = counts

    def undo_savepoint(self) -> None:
        """Drop the events raised since the savepoint that is gone back to, as SQLAlchemy drops what was changed."""
        savepoint = self.get_nested_transaction()
        if savepoint is not None:
            for key, aggregate in self.aggregates.items():
                aggregate.drop_events(but=self._raised_before[savepoint].get(key, 0))

    def end_savepoint(self, savepoint: SessionTransaction) -> None:
        """There is no way back to it any more."""
        self._raised_before.pop(savepoint, None)

    def _raised(self) -> int:
        return sum(aggregate.count_events() for aggregate in self.aggregates.values())


class ReadSession(Session):
    """A session that refuses to write, even before the database would."""

    from_events: Sequence[AggregateRoot] = ()
    """The aggregates that were made from their events, which no row tells changes of."""
    has_transaction = False
    """Whether a transaction is to be ended with the session: each statement may be one of its own."""

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


def session_on(engine: AsyncEngine, kind: type[Session]) -> AsyncSession:
    """A session of this kind on this engine."""
    return AsyncSession(engine, sync_session_class=kind, expire_on_commit=False)


async def at_one_moment(session: AsyncSession) -> None:
    """Let all statements of a query from here on see the same moment, or let it have a server-side cursor.

    PostgreSQL has to be asked, where each statement is a transaction of its own. On SQLite it is always so. In a unit
    of work its isolation level decides.
    """
    reading = session.sync_session
    if session.get_bind().dialect.name != "postgresql" or not isinstance(reading, ReadSession):
        return
    if not reading.has_transaction:
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
    session.has_transaction = not getattr(connection.connection.dbapi_connection, "autocommit", False)
    if session.has_transaction and (work := current_work()) is not None:
        work.has_snapshot = True


event.listen(ReadSession, "after_begin", _note_transaction)
event.listen(UnitSession, "loaded_as_persistent", _hold)
event.listen(UnitSession, "after_attach", _hold)
event.listen(UnitSession, "after_transaction_create", UnitSession.begin_savepoint)
event.listen(UnitSession, "after_rollback", UnitSession.undo_savepoint)
event.listen(UnitSession, "after_transaction_end", UnitSession.end_savepoint)
