"""Read one user."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, authorize, cached_query, query_handler
from app.persistence.repositories.user_repository import no_such_user
from app.persistence.tables import users
from app.read_models.user_views import SELECT_USERS, UserView, views


@dataclass(frozen=True)
class GetUserQuery(IQuery[UserView]):
    """Read one user."""

    user_id: UUID
    include_inactive: bool = False


@query_handler(GetUserQuery)
@authorize(permissions=["user:read:own"], resource_id_field="user_id")
@cached_query(ttl_seconds=300, tags=["user:{user_id}"])
class GetUserHandler(BaseQueryHandler[GetUserQuery, UserView]):
    """Read one user. Members read themselves, `user:read` reads everybody; inactive users only on request."""

    session: AsyncSession

    async def _handle(self, query: GetUserQuery) -> UserView:
        wanted = SELECT_USERS.where(users.c.id == query.user_id)
        if not query.include_inactive:
            wanted = wanted.where(users.c.is_active)
        for user in await views(self.session, wanted):
            return user
        raise no_such_user()
