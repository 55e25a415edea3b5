"""Read one order."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, query_handler
from app.read_models.order_views import OrderView, read_order


@dataclass(frozen=True)
class GetOrderByIdQuery(IQuery[OrderView]):
    """Read one order."""

    order_id: UUID


@query_handler(GetOrderByIdQuery)
class GetOrderByIdHandler(BaseQueryHandler[GetOrderByIdQuery, OrderView]):
    """Read one order. Everybody who has its id may: it is random, and only the customer received it."""

    session: AsyncSession

    async def _handle(self, query: GetOrderByIdQuery) -> OrderView:
        return await read_order(self.session, query.order_id)
