"""Queries that read users, and one that forgot that queries change nothing."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, query_handler
from app.domain.user import User
from app.persistence.tables import users


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
