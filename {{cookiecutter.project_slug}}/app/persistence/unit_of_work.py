"""The unit of work: one session, one transaction, and the events of its aggregates."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import accumulate
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.config import Settings
from app.core.cqrs import Claim, Clock, EventRecord, RaisedEvent, ServiceUnavailableError
from app.core.cqrs.work import current_work
from app.persistence.engine.database import Database
from app.persistence.engine.errors import LostConnectionError, final
from app.persistence.engine.sessions import UnitSession
from app.persistence.engine.upsert import if_new
from app.persistence.events.event_log import append
from app.persistence.idempotency import IdempotencyKeys
from app.persistence.tables import inbox


class SqlUnitOfWork:
    """One transaction. Its session is made on first use, and its connection with the first statement."""

    def __init__(self, make_session: Callable[[], AsyncSession], keys: IdempotencyKeys) -> None:
        self._make_session = make_session
        self._keys = keys
        self._session: AsyncSession | None = None
        self._is_closed = False

    @property
    def session(self) -> AsyncSession:
        """The session of everything done in this unit."""
        if self._session is None:
            self._session = self._make_session()
            self._unit_session.is_of_unit, self._unit_session.is_over = True, self._is_closed
        return self._session

    @property
    def _unit_session(self) -> UnitSession:
        return cast(UnitSession, self.session.sync_session)

    def doom(self, cause: Exception) -> None:
        """Let nothing be committed any more, unless it goes back to a savepoint that was made before."""
        self._unit_session.fail(cause)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """An error that leaves it undoes what was done inside, and nothing else."""
        session = self.session
        self._unit_session.require_whole()
        async with session.begin_nested():
            yield

    async def collect_events(self) -> Sequence[RaisedEvent]:
        """The events raised since the last call: those of an aggregate in their order, all in that of their ids.

        An id is made with the event, which may be raised later than another.

        Raises:
            Exception: what failed in this unit and was passed over.
        """
        if self._session is None:
            return ()
        session = self._unit_session
        session.require_whole()
        with_events = [one for one in session.aggregates.values() if one.count_events()]
        if with_events and session.may_continue_streams:
            await self._session.flush()
        raised: list[tuple[UUID, RaisedEvent]] = []
        for aggregate in with_events:
            events = aggregate.take_events()
            raised += zip(accumulate((one.event.event_id for one in events), max), events, strict=True)
        return [event for _, event in sorted(raised, key=itemgetter(0))]

    async def record(self, events: Sequence[EventRecord]) -> None:
        """Write events to the event log."""
        await append(self.session, events)

    async def claim(self, claim: Claim) -> bytes | None:
        """Claim an idempotency key; the answer stored under it, if it was claimed before."""
        return await self._keys.claim(self.session, claim)

    async def keep_answer(self, claim: Claim, answer: bytes) -> None:
        """Store the answer of a claimed key."""
        await self._keys.keep_answer(self.session, claim, answer)

    async def receive(self, event_id: UUID, handler: str) -> bool:
        """Note that a handler has had an event; False if that was noted before."""
        note = {"event_id": event_id, "handler": handler, "received_at": datetime.now(UTC)}
        return await self.session.run_sync(_note, note)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """A query is answered meanwhile: it sees what was done so far, and does nothing itself.

        Raises:
            ConfigurationError: it changed something. Then nothing of this unit can be stored any more.
        """
        await self.session.flush()
        with self._unit_session.answering():
            yield

    async def commit(self) -> None:
        """Make everything permanent.

        Raises:
            Exception: what failed in this unit and was passed over.
            ConfigurationError: an aggregate was changed, and raised no event.
            ServiceUnavailableError: the connection broke during the COMMIT, which may have happened or not: to do
                it all again could do it twice.
        """
        if self._session is not None:
            await self._session.run_sync(lambda session: _commit(cast(UnitSession, session)))

    async def rollback(self) -> None:
        """Undo everything."""
        await self.close()

    async def close(self) -> None:
        """Give the connection back, also while the caller is being cancelled."""
        session, self._session, self._is_closed = self._session, None, True
        if session is None:
            return
        cast(UnitSession, session.sync_session).is_over = True
        if session.in_transaction():
            await finished(session.close())
        else:  # the connection is given back already, and there is nothing to wait for
            session.sync_session.close()


class SqlUnitsOfWork:
    """Opens units of work on the database."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        secret = settings.key_for("idempotency keys")
        self._keys = IdempotencyKeys(secret, settings.idempotency_key_seconds, clock)

    def open(self, isolation_level: str | None) -> SqlUnitOfWork:
        """A new unit of work at this isolation level; None: the database's default."""
        return SqlUnitOfWork(lambda: self._database.writing(isolation_level), self._keys)

    def check(self, isolation_level: str) -> None:
        """Refuse a level that the database does not have."""
        self._database.check_level(isolation_level)

    async def has_received(self, event_id: UUID, handler: str) -> bool:
        """Whether it was noted that this handler has had this event."""
        noted = exists().where(inbox.c.event_id == event_id, inbox.c.handler == handler)
        async with self._database.relaying_engine.connect() as connection:
            return bool(await connection.scalar(select(noted)))


def current_unit() -> SqlUnitOfWork | None:
    """The unit of work that the calling task is in, if any."""
    work = current_work()
    unit = None if work is None else work.unit
    return unit if isinstance(unit, SqlUnitOfWork) else None


def _note(session: Session, note: dict[str, Any]) -> bool:
    """Whether the note is new. Each reaction takes one, so this goes past the ORM, whose way takes as long again."""
    connection = session.connection()
    return bool(connection.execute(if_new(inbox, connection.dialect.name), note).rowcount)


def _commit(session: UnitSession) -> None:
    session.flush()
    session.require_whole()
    session.changes.require_events()
    if not session.in_transaction():
        session.begin()
    session.is_over = True
    try:
        session.commit()
    except LostConnectionError as error:
        raise final(
            ServiceUnavailableError("The database was lost at the last moment: check whether this was done.")
        ) from error


async def finished(work: Coroutine[Any, Any, Any]) -> None:
    """Await work that must be finished; a cancellation is passed on when it is."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
