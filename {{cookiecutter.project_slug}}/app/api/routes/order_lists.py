"""Endpoints for lists of orders. The docstring of the command or query handler describes each of them in the API."""

from decimal import Decimal
from inspect import getdoc
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.errors import answer
from app.api.models import PageOf, Text, page_of
from app.dependencies import Bus, CurrentUser, Page
from app.handlers.order.get_order_history_handler import GetOrderHistoryHandler, GetOrderHistoryQuery
from app.handlers.order.get_orders_handler import GetOrdersHandler, GetOrdersQuery
from app.handlers.order.scroll_orders_handler import OrderStretchView, ScrollOrdersHandler, ScrollOrdersQuery
from app.read_models.customer_history import FavouritePizzaView, OrderHistoryView
from app.read_models.order_summaries import OrderSummaryView

router = APIRouter(prefix="/api/orders", tags=["orders"])

Filter = Annotated[Text | None, Query()]


class PageOfHistory(PageOf[OrderSummaryView]):
    """A page of a customer's orders, with totals of all orders that are not cancelled."""

    total_orders: int
    total_spent: Decimal
    favourite_pizzas: list[FavouritePizzaView]


@router.get("", response_model=PageOf[OrderSummaryView], description=getdoc(GetOrdersHandler))
async def get_orders(bus: Bus, page: Page, customer_phone: Filter = None, status: Filter = None) -> Response:
    result = await bus.execute_query(GetOrdersQuery(customer_phone, status, page.page, page.page_size))
    return answer(result, page_of(result))


@router.get("/scroll", response_model=OrderStretchView, description=getdoc(ScrollOrdersHandler))
async def scroll_orders(
    bus: Bus, customer_phone: Filter = None, status: Filter = None, cursor: Filter = None, limit: int = 100
) -> Response:
    return answer(await bus.execute_query(ScrollOrdersQuery(customer_phone, status, cursor, limit)))


@router.get("/history", response_model=PageOfHistory, description=getdoc(GetOrderHistoryHandler))
async def get_order_history(bus: Bus, user: CurrentUser, page: Page) -> Response:
    result = await bus.execute_query(GetOrderHistoryQuery(user.user_id, page.page, page.page_size))

    def body(history: OrderHistoryView) -> dict[str, object]:
        totals = history.model_dump(exclude={"orders"})
        return {"items": history.orders, "pagination": result.pagination, **totals}

    return answer(result, body)
