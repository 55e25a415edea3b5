"""Queries that read users, and one that forgot that queries change nothing."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, query_handler
from app.domain.user import User
from app.persistence.engine.sessions import at_one_moment
from app.persistence.tables import users

TRANSACTION = text("SELECT virtualtransaction FROM pg_locks WHERE pid = pg_backend_pid() LIMIT 1")
NAMES = text("SELECT name FROM roles ORDER BY name")


@dataclass(frozen=True)
class CountUsers(IQuery[int]):
    """How many users there are."""


@query_handler(CountUsers)
class CountUsersHandler(BaseQueryHandler[CountUsers, int]):
    """Counts the rows that it sees."""

    session: AsyncSession

    async def _handle(self, query: CountUsers) -> int:
        return await self.session.scalar(select(func.count()).select_from(users)) or 0


@dataclass(frozen=True)
class RenameUser(IQuery[str]):
    """Ask for a name, and change it."""

    user_id: UUID
    flush: bool


@query_handler(RenameUser)
class RenameUserHandler(BaseQueryHandler[RenameUser, str]):
    """Changes the user that it reads."""

    session: AsyncSession

    async def _handle(self, query: RenameUser) -> str:
        user = await self.session.get_one(User, query.user_id)
        user.update(full_name="changed")
        if query.flush:
            await self.session.flush()
        return user.full_name


@dataclass(frozen=True)
class Look(IQuery[list[Any]]):
    """Look twice, or through a cursor; in one transaction, or not."""

    at_one_moment: bool
    with_cursor: bool = False


@query_handler(Look)
class LookHandler(BaseQueryHandler[Look, list[Any]]):
    """Tells which its transactions were, or what came through the cursor."""

    session: AsyncSession

    async def _handle(self, query: Look) -> list[Any]:
        if query.at_one_moment:
            await at_one_moment(self.session)
        if query.with_cursor:
            return [name async for name in await self.session.stream_scalars(NAMES)]
        return [await self.session.scalar(TRANSACTION) for _ in range(2)]
