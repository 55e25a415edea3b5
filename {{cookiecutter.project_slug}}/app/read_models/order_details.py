"""The details of single orders, for customers and staff."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.order_events import (
    CookingStarted,
    OrderAddressUpdated,
    OrderedPizza,
    OrderEvent,
    OrderPlaced,
    PaymentDeclined,
    PaymentProcessed,
    PizzaReady,
)
from app.persistence.mappings.order_read_tables import order_details
from app.persistence.projections import Projection, Row
from app.read_models.order_status import with_status


def fold_details(row: Row, event: OrderEvent) -> Row:
    """The row of an order after an event."""
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
            row = {**row, "estimated_ready_time": event.estimated_ready_time}
        case PizzaReady():
            return {**row, "pizzas": _with_ready(row["pizzas"], event.pizza_index)}
    return with_status(row, event)


PROJECTION = Projection("order_details", "Order", OrderEvent, order_details, fold_details, in_transaction=True)
"""In the transaction: the response to a command links to them."""


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
        "pizzas": [_pizza(index, pizza) for index, pizza in enumerate(event.pizzas)],
    }


def _pizza(index: int, pizza: OrderedPizza) -> dict[str, Any]:
    """A pizza as JSON values."""
    return {
        "index": index,
        **vars(pizza),
        "toppings": list(pizza.toppings),
        "price": str(pizza.price),
        "is_ready": False,
    }


def _with_ready(pizzas: Sequence[Mapping[str, Any]], index: int) -> list[Mapping[str, Any]]:
    return [{**pizza, "is_ready": True} if pizza["index"] == index else pizza for pizza in pizzas]
