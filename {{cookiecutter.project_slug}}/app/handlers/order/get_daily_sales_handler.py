"""Report what was sold on a day."""

import datetime
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, Clock, IQuery, authorize, query_handler
from app.persistence.engine.sessions import at_one_moment
from app.read_models.daily_sales import DailySalesView, sales_of
from app.read_models.shop_days import shop_day


@dataclass(frozen=True)
class GetDailySalesQuery(IQuery[DailySalesView]):
    """Report what was sold on a day of the shop, with `include_details` by pizza too; None: today."""

    date: datetime.date | None = None
    include_details: bool = False


@query_handler(GetDailySalesQuery)
@authorize(permissions=["report:read"])
class GetDailySalesHandler(BaseQueryHandler[GetDailySalesQuery, DailySalesView]):
    """Report what was sold on a day. The sums are kept a moment behind the orders; those cancelled are out of them."""

    session: AsyncSession
    clock: Clock

    async def _handle(self, query: GetDailySalesQuery) -> DailySalesView:
        await at_one_moment(self.session)  # so that the pizzas add up to the day
        day = query.date or shop_day(self.clock.now())
        return await sales_of(self.session, day, with_pizzas=query.include_details)
