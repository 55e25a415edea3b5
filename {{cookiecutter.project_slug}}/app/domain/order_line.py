"""The lines of an order, and the names of its states."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

OrderStatus = Literal["pending", "cooking", "completed", "cancelled"]
PaymentStatus = Literal["open", "paid", "declined"]
PaymentMethod = Literal["cash", "card"]
LONGEST_REASON, LONGEST_STAFF_ID = 200, 100
STATUSES: tuple[str, ...] = get_args(OrderStatus)
PAYMENT_METHODS: tuple[str, ...] = get_args(PaymentMethod)


@dataclass(eq=False)
class OrderLine:
    """One pizza of an order."""

    position: int
    pizza_id: str
    name: str
    size: str
    toppings: list[str]
    special_instructions: str | None
    price: Decimal
    preparation_minutes: int
    is_ready: bool = False
