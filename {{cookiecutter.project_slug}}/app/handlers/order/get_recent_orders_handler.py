"""Read a customer's newest orders, for the dashboard."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, authorize, query_handler
from app.read_models.dashboard_views import DashboardPart
from app.read_models.order_views import RecentOrderView, recent_orders

MOST_SHOWN = 5


@dataclass(frozen=True)
class GetRecentOrdersQuery(DashboardPart[list[RecentOrderView]]):
    """Read the newest orders of a customer with an account; a part of the dashboard."""

    part = "recent_orders"


@query_handler(GetRecentOrdersQuery)
@authorize(permissions=["order:read:own"], resource_id_field="user_id")
class GetRecentOrdersHandler(BaseQueryHandler[GetRecentOrdersQuery, list[RecentOrderView]]):
    """Read a customer's five newest orders. Members read their own, `order:read` reads everybody's."""

    session: AsyncSession

    async def _handle(self, query: GetRecentOrdersQuery) -> list[RecentOrderView]:
        return await recent_orders(self.session, query.user_id, MOST_SHOWN)
