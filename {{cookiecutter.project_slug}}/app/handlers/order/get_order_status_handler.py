"""Read how far an order is."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, cached_query, query_handler
from app.read_models.order_views import OrderStatusView, read_order


@dataclass(frozen=True)
class GetOrderStatusQuery(IQuery[OrderStatusView]):
    """Read how far an order is."""

    order_id: UUID


@query_handler(GetOrderStatusQuery)
@cached_query(ttl_seconds=60, tags=["order:{order_id}"], scope="public")
class GetOrderStatusHandler(BaseQueryHandler[GetOrderStatusQuery, OrderStatusView]):
    """Read how far an order is. Whoever holds its id may; the answer is kept for a minute, or until it changes."""

    session: AsyncSession

    async def _handle(self, query: GetOrderStatusQuery) -> OrderStatusView:
        order = await read_order(self.session, query.order_id)
        return OrderStatusView(**{name: getattr(order, name) for name in OrderStatusView.model_fields})
