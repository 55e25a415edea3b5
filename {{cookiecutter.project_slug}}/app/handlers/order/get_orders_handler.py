"""List orders, page by page."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, Pagination, authorize, query_handler
from app.persistence.mappings.order_read_tables import order_summaries
from app.read_models.order_summaries import NEWEST_FIRST, SELECT_SUMMARIES, OrderSummaryView, filter_problems, filtered
from app.read_models.pages import first_index, page_info, page_problems


@dataclass(frozen=True)
class GetOrdersQuery(IQuery[list[OrderSummaryView]]):
    """List the orders that match all given filters, the newest first."""

    customer_phone: str | None = None
    status: str | None = None
    page: int = 1
    page_size: int = 20

    def validate(self) -> dict[str, str]:
        """The rules for pages and filters."""
        return {**page_problems(self.page, self.page_size), **filter_problems(self.customer_phone, self.status)}


@query_handler(GetOrdersQuery)
@authorize(permissions=["order:read"])
class GetOrdersHandler(BaseQueryHandler[GetOrdersQuery, list[OrderSummaryView]]):
    """List orders, the newest first, filtered by phone number, however it is written, and by status, page by page."""

    session: AsyncSession

    async def _handle(self, query: GetOrdersQuery) -> list[OrderSummaryView]:
        wanted = filtered(SELECT_SUMMARIES, query.customer_phone, query.status).order_by(*NEWEST_FIRST)
        page = wanted.offset(first_index(query.page, query.page_size)).limit(query.page_size)
        return [OrderSummaryView(**row) for row in (await self.session.execute(page)).mappings()]

    async def _get_pagination_info(self, query: GetOrdersQuery, result: list[OrderSummaryView]) -> Pagination:
        counted = select(func.count()).select_from(order_summaries)
        total = await self.session.scalar(filtered(counted, query.customer_phone, query.status))
        return page_info(query.page, query.page_size, total or 0)
