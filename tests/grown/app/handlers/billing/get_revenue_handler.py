"""Report the revenue."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, authorize, query_handler
from app.read_models.revenue import RevenueView, revenue_by_month


@dataclass(frozen=True)
class GetRevenueQuery(IQuery[list[RevenueView]]):
    """Report the revenue of each month."""


@query_handler(GetRevenueQuery)
@authorize(permissions=["invoice:read"])
class GetRevenueHandler(BaseQueryHandler[GetRevenueQuery, list[RevenueView]]):
    """Report what was invoiced and paid for each month."""

    session: AsyncSession

    async def _handle(self, query: GetRevenueQuery) -> list[RevenueView]:
        return await revenue_by_month(self.session)
