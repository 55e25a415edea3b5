"""Orders one by one: all that customers and staff ask about one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.order_events import (
    CookingStarted,
    OrderAddressUpdated,
    OrderCancelled,
    OrderCompleted,
    OrderedPizza,
    OrderEvent,
    OrderPlaced,
    PaymentDeclined,
    PaymentProcessed,
    PizzaReady,
)
from app.persistence.mappings.order_read_tables import order_details
from app.persistence.projections import Projection, Row
from app.read_models.user_views import View


class OrderedPizzaView(View):
    """A pizza of an order."""

    pizza_id: str
    name: str
    size: str
    toppings: tuple[str, ...]
    special_instructions: str | None
    price: Decimal
    is_ready: bool


class OrderDetailsView(View):
    """An order."""

    order_id: UUID
    customer_name: str
    customer_phone: str
    customer_address: str
    status: str
    payment_method: str
    payment_status: str
    total_amount: Decimal
    order_time: datetime
    estimated_ready_time: datetime
    started_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    cancellation_reason: str | None
    pizzas: tuple[OrderedPizzaView, ...]


def fold_details(row: Row, event: OrderEvent) -> Row:
    """The order as it is after an event."""
    match event:
        case OrderPlaced():
            return _placed(event)
        case OrderAddressUpdated():
            return {**row, "customer_address": event.customer_address}
        case PaymentProcessed():
            return {**row, "payment_status": "paid"}
        case PaymentDeclined():
            return {**row, "payment_status": "declined"}
        case CookingStarted():
            times = {"started_at": event.started_at, "estimated_ready_time": event.estimated_ready_time}
            return {**row, "status": "cooking", **times}
        case PizzaReady():
            return {**row, "pizzas": _with_ready(row["pizzas"], event.pizza_index)}
        case OrderCompleted():
            return {**row, "status": "completed", "completed_at": event.completed_at}
        case OrderCancelled():
            why = {"cancelled_at": event.cancelled_at, "cancellation_reason": event.reason}
            return {**row, "status": "cancelled", **why}
        case _:
            return row


PROJECTION = Projection("order_details", "Order", order_details, fold_details)

SELECT_DETAILS = select(*(order_details.c[name] for name in OrderDetailsView.model_fields))


async def details_of(session: AsyncSession, order_id: UUID) -> OrderDetailsView | None:
    """An order by its id; None if there is none."""
    row = (await session.execute(SELECT_DETAILS.where(order_details.c.order_id == order_id))).mappings().first()
    return None if row is None else OrderDetailsView(**row)


def _placed(event: OrderPlaced) -> Row:
    return {
        "customer_user_id": event.customer_user_id,
        "customer_name": event.customer_name,
        "customer_phone": event.customer_phone,
        "customer_address": event.customer_address,
        "status": "pending",
        "payment_method": event.payment_method,
        "payment_status": "open",
        "total_amount": event.total,
        "order_time": event.placed_at,
        "estimated_ready_time": event.estimated_ready_time,
        "started_at": None,
        "completed_at": None,
        "cancelled_at": None,
        "cancellation_reason": None,
        "pizzas": [_pizza(pizza) for pizza in event.pizzas],
    }


def _pizza(pizza: OrderedPizza) -> dict[str, Any]:
    """A pizza as JSON has it."""
    return {**vars(pizza), "toppings": list(pizza.toppings), "price": str(pizza.price), "is_ready": False}


def _with_ready(pizzas: Sequence[Mapping[str, Any]], index: int) -> list[Mapping[str, Any]]:
    return [{**pizza, "is_ready": True} if number == index else pizza for number, pizza in enumerate(pizzas)]
