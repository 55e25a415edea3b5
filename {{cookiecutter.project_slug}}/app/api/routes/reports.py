"""Endpoints of reports. The docstring of the command or query handler describes each of them in the API."""

import datetime
from inspect import getdoc

from fastapi import APIRouter
from starlette.responses import Response

from app.api.errors import answer
from app.dependencies import Bus, Limit
from app.handlers.order.get_daily_sales_handler import GetDailySalesHandler, GetDailySalesQuery
from app.handlers.order.get_popular_pizzas_handler import GetPopularPizzasHandler, GetPopularPizzasQuery
from app.read_models.daily_sales import DailySalesView
from app.read_models.popular_pizzas import PopularPizzaView

router = APIRouter(prefix="/api/reports", tags=["reports"])


@router.get("/popular-pizzas", response_model=list[PopularPizzaView], description=getdoc(GetPopularPizzasHandler))
async def get_popular_pizzas(bus: Bus, limit: Limit = 10, include_details: bool = False) -> Response:
    return answer(await bus.execute_query(GetPopularPizzasQuery(limit, include_details)))


@router.get("/daily-sales", response_model=DailySalesView, description=getdoc(GetDailySalesHandler))
async def get_daily_sales(bus: Bus, date: datetime.date | None = None, include_details: bool = False) -> Response:
    return answer(await bus.execute_query(GetDailySalesQuery(date, include_details)))
