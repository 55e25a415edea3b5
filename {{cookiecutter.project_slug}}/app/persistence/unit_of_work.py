"""The unit of work: one session, one transaction, and the events of its aggregates."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate
from operator import itemgetter
from typing import cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.cqrs import Claim, Clock, EventRecord, RaisedEvent, ServiceUnavailableError
from app.core.cqrs.attempt import current_attempt
from app.persistence.engine.database import Database
from app.persistence.engine.errors import LostConnectionError, final
from app.persistence.engine.lost_changes import require_state
from app.persistence.engine.sessions import close
from app.persistence.engine.unit_session import UnitSession
from app.persistence.events.event_log import append
from app.persistence.events.inbox import has_received, receive
from app.persistence.idempotency import IdempotencyKeys


class SqlUnitOfWork:
    """One transaction. Its session is created on first use, and its connection opened by the first statement."""

    def __init__(self, make_session: Callable[[], AsyncSession], keys: IdempotencyKeys) -> None:
        self._make_session = make_session
        self._keys = keys
        self._session: AsyncSession | None = None
        self._is_closed = False

    @property
    def session(self) -> AsyncSession:
        """The session of all repositories in this unit of work."""
        if self._session is None:
            self._session = self._make_session()
            self._unit_session.is_of_unit, self._unit_session.is_over = True, self._is_closed
        return self._session

    @property
    def _unit_session(self) -> UnitSession:
        return cast(UnitSession, self.session.sync_session)

    def doom(self, cause: Exception) -> None:
        """Prevent the commit, unless this unit of work is rolled back to an earlier savepoint."""
        self._unit_session.fail(cause)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint: an error that leaves the block undoes only what was done inside.

        Raises:
            Exception: an earlier error in this unit of work that was caught and ignored.
        """
        session = self.session
        self._unit_session.require_whole()
        async with session.begin_nested():
            yield

    async def collect_events(self) -> Sequence[RaisedEvent]:
        """The events raised since the last call, sorted by id, but those of each aggregate in the order of raising.

        The two orders can differ: an id is created with the event, and a later event may be raised first.

        Raises:
            Exception: an error in this unit of work that was caught and ignored.
            ConfigurationError: if an aggregate was undone with the savepoint that it was made in, or lost its changes.
        """
        if self._session is None:
            return ()
        session = self._unit_session
        session.require_whole()
        if session.may_continue_streams and session.with_events():
            await self._session.flush()
        raised: list[tuple[UUID, RaisedEvent]] = []
        for aggregate in session.with_events():
            await require_state(aggregate, self._session)
            events = aggregate.take_events()
            raised += zip(accumulate((one.event.event_id for one in events), max), events, strict=True)
        return [event for _, event in sorted(raised, key=itemgetter(0))]

    async def record(self, events: Sequence[EventRecord]) -> None:
        """Write events to the event log.

        Raises:
            ConcurrencyError: if the log already has an event of the same aggregate and version.
            ConflictError: if an event-sourced aggregate with the same id already exists.
        """
        await append(self.session, events)

    async def claim(self, claim: Claim) -> bytes | None:
        """Claim an idempotency key; see `IdempotencyKeys.claim`."""
        return await self._keys.claim(self.session, claim)

    async def keep_answer(self, claim: Claim, answer: bytes) -> None:
        """Store the answer of a claimed key."""
        await self._keys.keep_answer(self.session, claim, answer)

    async def receive(self, event_id: UUID, handler: str) -> bool:
        """Record in the inbox that a handler processed an event. Returns False if it was recorded before."""
        return await self.session.run_sync(receive, event_id, handler)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Run a query inside this unit of work: it sees the changes so far, and must make none itself.

        Raises:
            ConfigurationError: if it made changes. Then nothing in this unit of work can be stored any more.
        """
        await self.session.flush()
        with self._unit_session.answering():
            yield

    async def rehearse(self) -> None:
        """Do what `commit` does, except for the COMMIT; raises what it raises. On SQLite, deferred constraints wait."""
        if self._session is not None:
            await self._session.run_sync(lambda _: self._unit_session.require_committable(is_rehearsal=True))

    async def commit(self) -> None:
        """Make everything permanent.

        Raises:
            Exception: an error in this unit of work that was caught and ignored.
            ConfigurationError: if an aggregate was changed but raised no event.
            ServiceUnavailableError: if the connection broke during COMMIT. Its outcome is unknown, so a retry could
                repeat the changes.
        """
        if self._session is not None:
            await self._session.run_sync(lambda session: _commit(cast(UnitSession, session)))

    async def close(self) -> None:
        """Return the connection, even while the caller is being cancelled; undo uncommitted changes."""
        session, self._session, self._is_closed = self._session, None, True
        if session is None:
            return
        cast(UnitSession, session.sync_session).is_over = True
        await close(session, has_connection=session.in_transaction())

    rollback = close


class SqlUnitsOfWork:
    """Opens units of work on the database."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._keys = IdempotencyKeys(settings.key_for("idempotency keys"), settings.idempotency_key_seconds, clock)

    def open(self, isolation_level: str | None) -> SqlUnitOfWork:
        """A new unit of work at this isolation level; None for the database's default."""
        return SqlUnitOfWork(lambda: self._database.writing(isolation_level), self._keys)

    def check(self, isolation_level: str) -> None:
        """Refuse an isolation level that the database lacks; see `Database.check_level`."""
        self._database.check_level(isolation_level)

    async def has_received(self, event_id: UUID, handler: str) -> bool:
        """Whether the inbox has a record that this handler processed this event."""
        return await has_received(self._database, event_id, handler)


def current_unit() -> SqlUnitOfWork | None:
    """The unit of work of the calling task, if any."""
    attempt = current_attempt()
    unit = None if attempt is None else attempt.unit
    return unit if isinstance(unit, SqlUnitOfWork) else None


def _commit(session: UnitSession) -> None:
    session.require_committable(is_rehearsal=False)
    if not session.in_transaction():
        session.begin()
    session.is_over = True
    try:
        session.commit()
    except LostConnectionError as error:
        lost = ServiceUnavailableError("The connection was lost during the COMMIT: check whether this was done.")
        raise final(lost) from error
