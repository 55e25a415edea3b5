"""Read a customer's order history."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, Pagination, authorize, query_handler
from app.persistence.engine.sessions import at_one_moment
from app.persistence.mappings.order_read_tables import order_summaries
from app.read_models.customer_history import OrderHistoryView, favourites_of, spent_by
from app.read_models.order_summaries import NEWEST_FIRST, SELECT_SUMMARIES, OrderSummaryView
from app.read_models.pages import first_index, page_info, page_problems


@dataclass(frozen=True)
class GetOrderHistoryQuery(IQuery[OrderHistoryView]):
    """Read a page of the orders of a customer with an account, and the totals of all of them."""

    user_id: UUID
    page: int = 1
    page_size: int = 20

    def validate(self) -> dict[str, str]:
        """The rules for pages."""
        return page_problems(self.page, self.page_size)


@query_handler(GetOrderHistoryQuery)
@authorize(permissions=["order:read:own"], resource_id_field="user_id")
class GetOrderHistoryHandler(BaseQueryHandler[GetOrderHistoryQuery, OrderHistoryView]):
    """Read the caller's orders, the newest first, page by page, with their number, their sum and the favourites.

    Number, sum and favourites are updated as orders are placed, not computed here; they leave out cancelled orders.
    """

    session: AsyncSession

    async def _handle(self, query: GetOrderHistoryQuery) -> OrderHistoryView:
        await at_one_moment(self.session)  # so that the orders add up to the sums
        mine = SELECT_SUMMARIES.where(order_summaries.c.customer_user_id == query.user_id).order_by(*NEWEST_FIRST)
        page = mine.offset(first_index(query.page, query.page_size)).limit(query.page_size)
        rows = (await self.session.execute(page)).mappings()
        total_orders, total_spent = await spent_by(self.session, query.user_id)
        return OrderHistoryView(
            orders=tuple(OrderSummaryView(**row) for row in rows),
            total_orders=total_orders,
            total_spent=total_spent,
            favourite_pizzas=await favourites_of(self.session, query.user_id),
        )

    async def _get_pagination_info(self, query: GetOrderHistoryQuery, result: OrderHistoryView) -> Pagination:
        mine = order_summaries.c.customer_user_id == query.user_id
        total = await self.session.scalar(select(func.count()).select_from(order_summaries).where(mine))
        return page_info(query.page, query.page_size, total or 0)
