"""Count users."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, authorize, cached_query, query_handler
from app.read_models.user_views import UserStatsView, stats


@dataclass(frozen=True)
class GetUserStatsQuery(IQuery[UserStatsView]):
    """Count users by state and role."""


@query_handler(GetUserStatsQuery)
@authorize(permissions=["user:stats"])
@cached_query(ttl_seconds=120, tags=["users"])
class GetUserStatsHandler(BaseQueryHandler[GetUserStatsQuery, UserStatsView]):
    """Count users, in all, by state and by role."""

    session: AsyncSession

    async def _handle(self, query: GetUserStatsQuery) -> UserStatsView:
        return await stats(self.session)
