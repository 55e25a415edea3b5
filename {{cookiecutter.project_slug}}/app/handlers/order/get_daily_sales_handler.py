"""Report the sales of a day."""

import datetime
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, Clock, IQuery, authorize, query_handler
from app.persistence.engine.sessions import at_one_moment
from app.read_models.daily_sales import DailySalesView, sales_of
from app.read_models.shop_days import shop_day


@dataclass(frozen=True)
class GetDailySalesQuery(IQuery[DailySalesView]):
    """Report the sales of a day of the shop (None: today); with `include_details`, also by pizza."""

    date: datetime.date | None = None
    include_details: bool = False


@query_handler(GetDailySalesQuery)
@authorize(permissions=["report:read"])
class GetDailySalesHandler(BaseQueryHandler[GetDailySalesQuery, DailySalesView]):
    """Report the sales of a day. The sums are updated a moment after the orders, and leave out cancelled orders."""

    session: AsyncSession
    clock: Clock

    async def _handle(self, query: GetDailySalesQuery) -> DailySalesView:
        await at_one_moment(self.session)  # so that the pizzas add up to the day
        day = query.date or shop_day(self.clock.now())
        return await sales_of(self.session, day, with_pizzas=query.include_details)
