"""Views of users."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.persistence.tables import user_roles, users

T = TypeVar("T")


class View(BaseModel):
    """Base of views; immutable."""

    model_config = ConfigDict(frozen=True)


class UserView(View):
    """A user without secrets."""

    id: UUID
    email: str
    username: str
    full_name: str
    is_active: bool
    roles: tuple[str, ...]
    created_at: datetime


class UserStatsView(View):
    """How many users there are, in all, and by state and role."""

    total: int
    active: int
    inactive: int
    by_role: dict[str, int]


SELECT_USERS = select(
    users.c.id, users.c.email, users.c.username, users.c.full_name, users.c.is_active, users.c.created_at
)


async def views(session: AsyncSession, wanted: Select[*tuple[Any, ...]]) -> list[UserView]:
    """The users that a selection of `SELECT_USERS` finds, each with its roles."""
    found = (await session.execute(wanted)).all()
    roles: dict[UUID, list[str]] = {row.id: [] for row in found}
    assigned = select(user_roles).where(user_roles.c.user_id.in_(roles)).order_by(user_roles.c.role)
    for row in (await session.execute(assigned)).all() if found else ():
        roles[row.user_id].append(row.role)
    return [UserView(**row._mapping, roles=tuple(roles[row.id])) for row in found]


async def stats(session: AsyncSession) -> UserStatsView:
    """Count all users."""
    by_state = await _counts(session, users.c.is_active)
    active, inactive = by_state.get(True, 0), by_state.get(False, 0)
    return UserStatsView(
        total=active + inactive, active=active, inactive=inactive, by_role=await _counts(session, user_roles.c.role)
    )


async def _counts(session: AsyncSession, column: ColumnElement[T]) -> dict[T, int]:
    """How many rows there are for each value of a column."""
    counted = select(column, func.count()).group_by(column).order_by(column)
    return {row[0]: row[1] for row in await session.execute(counted)}
