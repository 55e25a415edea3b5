"""Endpoints of orders. The docstring of the command or query handler describes each of them in the API.

Authorization and rules are in those handlers. `**body.model_dump()` needs the field names of the command. The status
comes from the result (`answer`): `status_code` and `response_model` only document it.
"""

from inspect import getdoc
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.api.errors import answer
from app.api.routes._order_bodies import (
    Cancellation,
    CookingStart,
    Index,
    NewAddress,
    OrderToPlace,
    Payment,
    ReadyPizza,
)
from app.dependencies import Bus
from app.domain.menu import PizzaWish
from app.handlers.order.cancel_order_handler import CancelOrderCommand, CancelOrderHandler
from app.handlers.order.get_order_by_id_handler import GetOrderByIdHandler, GetOrderByIdQuery
from app.handlers.order.get_order_status_handler import GetOrderStatusHandler, GetOrderStatusQuery
from app.handlers.order.get_order_timeline_handler import GetOrderTimelineHandler, GetOrderTimelineQuery
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand, MarkPizzaReadyHandler
from app.handlers.order.order_command import OrderProgress
from app.handlers.order.place_order_handler import PlacedOrder, PlaceOrderCommand, PlaceOrderHandler
from app.handlers.order.process_payment_handler import ProcessPaymentCommand, ProcessPaymentHandler, Receipt
from app.handlers.order.start_cooking_handler import StartCookingCommand, StartCookingHandler
from app.handlers.order.update_order_address_handler import UpdateOrderAddressCommand, UpdateOrderAddressHandler
from app.read_models.order_views import OrderStatusView, OrderView, TimelineEntryView

router = APIRouter(prefix="/api/orders", tags=["orders"])


@router.post("", status_code=201, response_model=PlacedOrder, description=getdoc(PlaceOrderHandler))
async def place_order(body: OrderToPlace, bus: Bus) -> Response:
    wishes = tuple(PizzaWish(**item.model_dump()) for item in body.pizza_items)
    result = await bus.execute_command(PlaceOrderCommand(**{**body.model_dump(), "pizza_items": wishes}))
    return answer(result, Location=f"/api/orders/{result.unwrap().order_id}")


@router.get("/{order_id}", response_model=OrderView, description=getdoc(GetOrderByIdHandler))
async def get_order_by_id(order_id: UUID, bus: Bus) -> Response:
    return answer(await bus.execute_query(GetOrderByIdQuery(order_id)))


@router.get("/{order_id}/status", response_model=OrderStatusView, description=getdoc(GetOrderStatusHandler))
async def get_order_status(order_id: UUID, bus: Bus) -> Response:
    return answer(await bus.execute_query(GetOrderStatusQuery(order_id)))


@router.get("/{order_id}/timeline", response_model=list[TimelineEntryView], description=getdoc(GetOrderTimelineHandler))
async def get_order_timeline(order_id: UUID, bus: Bus) -> Response:
    return answer(await bus.execute_query(GetOrderTimelineQuery(order_id)))


@router.put("/{order_id}/cook", response_model=OrderProgress, description=getdoc(StartCookingHandler))
async def start_cooking(order_id: UUID, body: CookingStart, bus: Bus) -> Response:
    return answer(await bus.execute_command(StartCookingCommand(order_id, **body.model_dump())))


@router.put("/{order_id}/pizzas/{index}/ready", response_model=OrderProgress, description=getdoc(MarkPizzaReadyHandler))
async def mark_pizza_ready(order_id: UUID, index: Index, bus: Bus, body: ReadyPizza | None = None) -> Response:
    minutes = None if body is None else body.actual_cooking_time_minutes
    return answer(await bus.execute_command(MarkPizzaReadyCommand(order_id, index, minutes)))


@router.post("/{order_id}/payments", response_model=Receipt, description=getdoc(ProcessPaymentHandler))
async def process_payment(order_id: UUID, body: Payment, bus: Bus) -> Response:
    return answer(await bus.execute_command(ProcessPaymentCommand(order_id, **body.model_dump())))


@router.post("/{order_id}/cancel", response_model=OrderProgress, description=getdoc(CancelOrderHandler))
async def cancel_order(order_id: UUID, bus: Bus, body: Cancellation | None = None) -> Response:
    return answer(await bus.execute_command(CancelOrderCommand(order_id, **(body or Cancellation()).model_dump())))


@router.put("/{order_id}/address", response_model=OrderProgress, description=getdoc(UpdateOrderAddressHandler))
async def update_order_address(order_id: UUID, body: NewAddress, bus: Bus) -> Response:
    return answer(await bus.execute_command(UpdateOrderAddressCommand(order_id, body.customer_address)))
