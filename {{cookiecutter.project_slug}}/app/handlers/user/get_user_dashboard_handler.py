"""Read a user's dashboard."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from app.core.cqrs import BaseQueryHandler, CQRSBus, IQuery, OperationStatus, authorize, cached_query, query_handler
from app.handlers.user.get_unread_notifications_handler import GetUnreadNotificationsQuery
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.get_user_stats_handler import GetUserStatsQuery
from app.read_models.dashboard_views import DashboardPart, UserDashboardView


@dataclass(frozen=True)
class GetUserDashboardQuery(IQuery[UserDashboardView]):
    """Read a user's dashboard."""

    user_id: UUID


@query_handler(GetUserDashboardQuery)
@authorize(permissions=["user:read:own"], resource_id_field="user_id")
@cached_query(ttl_seconds=300, tags=["user:{user_id}", "users", "notifications:{user_id}"])
class GetUserDashboardHandler(BaseQueryHandler[GetUserDashboardQuery, UserDashboardView]):
    """Read a user with unread notifications, statistics where the caller may see them, and parts of other features.

    All are read concurrently, each on a connection of its own.
    """

    async def _handle(self, query: GetUserDashboardQuery) -> UserDashboardView:
        user, unread, counted, parts = await asyncio.gather(
            self.bus.execute_query(GetUserQuery(query.user_id)),
            self.bus.execute_query(GetUnreadNotificationsQuery(query.user_id)),
            self.bus.execute_query(GetUserStatsQuery()),
            _read_parts(self.bus, query.user_id),
        )
        return UserDashboardView(
            user=user.unwrap(),
            unread_notifications=unread.unwrap(),
            stats=None if counted.status is OperationStatus.FORBIDDEN else counted.unwrap(),
            parts=parts,
        )


async def _read_parts(bus: CQRSBus, user_id: UUID) -> dict[str, JsonValue]:
    """The parts of other features: every part that has a handler on this bus, and that the caller may see."""
    queries = bus.get_registered_handlers()["queries"]
    parts = [query(user_id) for query in queries if issubclass(query, DashboardPart)]
    answers = await asyncio.gather(*map(bus.execute_query, parts))
    return {
        one.part: to_jsonable_python(answer.unwrap())
        for one, answer in zip(parts, answers, strict=True)
        if answer.status is not OperationStatus.FORBIDDEN
    }
