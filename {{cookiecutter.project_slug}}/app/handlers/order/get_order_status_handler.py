"""Read the progress of an order."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, cached_query, query_handler
from app.read_models.order_views import OrderStatusView, read_order


@dataclass(frozen=True)
class GetOrderStatusQuery(IQuery[OrderStatusView]):
    """Read the progress of an order."""

    order_id: UUID


@query_handler(GetOrderStatusQuery)
@cached_query(ttl_seconds=60, tags=["order:{order_id}"], scope="public")
class GetOrderStatusHandler(BaseQueryHandler[GetOrderStatusQuery, OrderStatusView]):
    """Read the progress of an order; everybody who has its id may. It is cached for a minute, or until it changes."""

    session: AsyncSession

    async def _handle(self, query: GetOrderStatusQuery) -> OrderStatusView:
        order = await read_order(self.session, query.order_id)
        return OrderStatusView(**{name: getattr(order, name) for name in OrderStatusView.model_fields})
