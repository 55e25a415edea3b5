"""Endpoints for lists of orders. The docstring of the command or query handler describes each of them in the API."""

from decimal import Decimal
from inspect import getdoc
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.errors import answer
from app.api.models import PageOf, Text, page_of
from app.api.routes._order_bodies import PHONE
from app.api.shapes import shaped
from app.dependencies import Bus, CurrentUser, Limit, Page
from app.domain.customer import LONGEST_PHONE
from app.domain.order_line import OrderStatus
from app.handlers.order.get_order_history_handler import GetOrderHistoryHandler, GetOrderHistoryQuery
from app.handlers.order.get_orders_handler import GetOrdersHandler, GetOrdersQuery
from app.handlers.order.scroll_orders_handler import OrderStretchView, ScrollOrdersHandler, ScrollOrdersQuery
from app.read_models.cursors import LONGEST_CURSOR
from app.read_models.customer_history import FavouritePizzaView, OrderHistoryView
from app.read_models.order_summaries import OrderSummaryView

router = APIRouter(prefix="/api/orders", tags=["orders"])

Status = OrderStatus | None
PhoneFilter = Annotated[Annotated[Text, shaped(maxLength=LONGEST_PHONE, pattern=f"^ *{PHONE} *$")] | None, Query()]
Cursor = Annotated[Annotated[Text, shaped(maxLength=LONGEST_CURSOR, pattern=r"^[\u0001-\u007f]*$")] | None, Query()]


class PageOfHistory(PageOf[OrderSummaryView]):
    """A page of a customer's orders, with totals of all orders that are not cancelled."""

    total_orders: int
    total_spent: Decimal
    favourite_pizzas: list[FavouritePizzaView]


@router.get("", response_model=PageOf[OrderSummaryView], description=getdoc(GetOrdersHandler))
async def get_orders(bus: Bus, page: Page, customer_phone: PhoneFilter = None, status: Status = None) -> Response:
    result = await bus.execute_query(GetOrdersQuery(customer_phone, status, page.page, page.page_size))
    return answer(result, page_of(result))


@router.get("/scroll", response_model=OrderStretchView, description=getdoc(ScrollOrdersHandler))
async def scroll_orders(
    bus: Bus, customer_phone: PhoneFilter = None, status: Status = None, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    return answer(await bus.execute_query(ScrollOrdersQuery(customer_phone, status, cursor, limit)))


@router.get("/history", response_model=PageOfHistory, description=getdoc(GetOrderHistoryHandler))
async def get_order_history(bus: Bus, user: CurrentUser, page: Page) -> Response:
    result = await bus.execute_query(GetOrderHistoryQuery(user.user_id, page.page, page.page_size))

    def body(history: OrderHistoryView) -> dict[str, object]:
        totals = history.model_dump(exclude={"orders"})
        return {"items": history.orders, "pagination": result.pagination, **totals}

    return answer(result, body)
