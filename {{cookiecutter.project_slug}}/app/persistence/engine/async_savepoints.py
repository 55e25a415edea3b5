"""Savepoints as handlers use them: `async with session.begin_nested()`."""

from contextlib import suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
from sqlalchemy.orm import Session

from app.core.cqrs import CQRSError
from app.persistence.engine.lost_changes import flag_changes_inside


class Savepoint(AsyncSessionTransaction):
    """A savepoint that raises the error of a failed flush inside it at its end, even if the error was ignored.

    A rollback to it reloads the objects that it undid, which SQLAlchemy would otherwise load at their next use, where
    an asynchronous session cannot.
    """

    async def __aexit__(self, kind: Any, error: Any, at: Any) -> None:
        session: Any = self.session.sync_session  # of class SavepointSession
        savepoint = self.sync_transaction
        undone = None if savepoint is None else session.undone.get(savepoint)
        flag_changes_inside(session)
        try:
            await super().__aexit__(kind, error, at)
        except Exception:  # of the flush at the end
            await self._reload()
            raise
        if undone is not None or isinstance(error, Exception):
            await self._reload()
        if error is None and undone is not None:
            raise undone

    async def rollback(self) -> None:
        """Roll back to this savepoint."""
        flag_changes_inside(self.session.sync_session)
        await super().rollback()
        await self._reload()

    async def _reload(self) -> None:
        with suppress(SQLAlchemyError, CQRSError):  # of a broken connection, which the error of the block is about
            await self.session.run_sync(_reload_expired)


class UnitAsyncSession(AsyncSession):
    """The session of a unit of work, as handlers use it."""

    def begin_nested(self) -> Savepoint:
        """Begin a savepoint, with `async with`."""
        return Savepoint(self, nested=True)


def _reload_expired(session: Session) -> None:
    with session.no_autoflush:
        for state in session.identity_map.all_states():
            if state.expired and (instance := state.obj()) is not None:
                session.refresh(instance)
