"""What one order adds to totals. Customer history, popular pizzas and daily sales each keep it in a table of their own.

An order counts from the moment it is placed, on that day of the shop, until it is cancelled.
"""

from collections.abc import Iterator
from decimal import Decimal

from app.domain.order_events import OrderEvent, OrderPlaced
from app.persistence.projections import Row
from app.read_models.order_status import with_status
from app.read_models.shop_days import shop_day


def fold_shares(row: Row, event: OrderEvent) -> Row:
    """The data of an order that totals need, after an event."""
    match event:
        case OrderPlaced():
            return {
                "customer_user_id": event.customer_user_id,
                "day": shop_day(event.placed_at),
                "status": "pending",
                "total": event.total,
                "pizzas": [[pizza.pizza_id, pizza.size, str(pizza.price)] for pizza in event.pizzas],
            }
        case _:
            return with_status(row, event)


def weight_of(row: Row) -> int:
    """The factor of its amounts: 1, or 0 for a cancelled order."""
    return int(row["status"] != "cancelled")


def pizzas_of(row: Row) -> Iterator[tuple[str, str, Decimal]]:
    """The id, the size and the price of each pizza of an order."""
    for pizza_id, size, price in row["pizzas"]:
        yield pizza_id, size, Decimal(price)
