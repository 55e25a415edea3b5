"""List users."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, Pagination, authorize, cached_query, query_handler
from app.domain.text import folded, text_problem
from app.domain.user import LONGEST_EMAIL
from app.persistence.tables import user_roles, users
from app.read_models.pages import first_index, page_info, page_problems
from app.read_models.user_views import SELECT_USERS, UserView, views


@dataclass(frozen=True)
class FindUsersQuery(IQuery[list[UserView]]):
    """List the users that match all given filters, the newest first."""

    email_contains: str | None = None
    role: str | None = None
    is_active: bool | None = None
    page: int = 1
    page_size: int = 20

    def validate(self) -> dict[str, str]:
        """The rules for pages and texts."""
        problems = page_problems(self.page, self.page_size)
        for name in ("email_contains", "role"):
            value = getattr(self, name)
            problem = None if value is None else text_problem(value, LONGEST_EMAIL)
            if problem is not None:
                problems[name] = problem
        return problems


@query_handler(FindUsersQuery)
@authorize(permissions=["user:read"])
@cached_query(ttl_seconds=120, tags=["users"])
class FindUsersHandler(BaseQueryHandler[FindUsersQuery, list[UserView]]):
    """List users, filtered by a part of the e-mail address, role and state, page by page."""

    session: AsyncSession

    async def _handle(self, query: FindUsersQuery) -> list[UserView]:
        wanted = _filtered(SELECT_USERS, query).order_by(users.c.created_at.desc(), users.c.id)
        return await views(self.session, wanted.offset(first_index(query.page, query.page_size)).limit(query.page_size))

    async def _get_pagination_info(self, query: FindUsersQuery, result: list[UserView]) -> Pagination:
        total = await self.session.scalar(_filtered(select(func.count()).select_from(users), query))
        return page_info(query.page, query.page_size, total or 0)


def _filtered(wanted: Select[*tuple[Any, ...]], query: FindUsersQuery) -> Select[*tuple[Any, ...]]:
    if query.email_contains:
        wanted = wanted.where(users.c.email_key.contains(folded(query.email_contains), autoescape=True))
    if query.role is not None:
        wanted = wanted.where(users.c.id.in_(select(user_roles.c.user_id).where(user_roles.c.role == query.role)))
    if query.is_active is not None:
        wanted = wanted.where(users.c.is_active == query.is_active)
    return wanted
