"""Events of orders and the menu. An event contains all that its handlers need, so that none has to look it up."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.core.cqrs import DomainEvent


@dataclass(frozen=True)
class OrderedPizza:
    """One line of an order, with its price at that time."""

    pizza_id: str
    name: str
    size: str
    toppings: tuple[str, ...]
    special_instructions: str | None
    price: Decimal
    preparation_minutes: int


@dataclass(frozen=True, kw_only=True)
class OrderEvent(DomainEvent):
    """Base of events of an order; `customer_user_id` is None where the customer has no account."""

    order_id: UUID
    customer_user_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class OrderPlaced(OrderEvent):
    """An order was placed."""

    customer_name: str
    customer_phone: str
    customer_address: str
    pizzas: tuple[OrderedPizza, ...]
    payment_method: str
    total: Decimal
    placed_at: datetime
    estimated_ready_time: datetime


@dataclass(frozen=True, kw_only=True)
class OrderAddressUpdated(OrderEvent):
    """The address of the order was changed."""

    customer_address: str


@dataclass(frozen=True, kw_only=True)
class PaymentProcessed(OrderEvent):
    """The order is paid; `payment_id` is the payment provider's."""

    payment_id: str
    amount: Decimal
    paid_at: datetime


@dataclass(frozen=True, kw_only=True)
class PaymentDeclined(OrderEvent):
    """The payment provider refused to charge the customer."""

    amount: Decimal
    reason: str
    declined_at: datetime


@dataclass(frozen=True, kw_only=True)
class CookingStarted(OrderEvent):
    """The kitchen has started to cook the order."""

    kitchen_staff_id: str
    estimated_cooking_time_minutes: int
    started_at: datetime
    estimated_ready_time: datetime


@dataclass(frozen=True, kw_only=True)
class PizzaReady(OrderEvent):
    """One pizza of the order is ready; `pizza_index` counts from 0, in the order of the order's lines."""

    pizza_index: int
    pizza_id: str
    preparation_minutes: int
    actual_cooking_time_minutes: int | None
    ready_at: datetime


@dataclass(frozen=True, kw_only=True)
class OrderCompleted(OrderEvent):
    """All pizzas of the order are ready."""

    customer_phone: str
    total: Decimal
    placed_at: datetime
    completed_at: datetime


@dataclass(frozen=True, kw_only=True)
class OrderCancelled(OrderEvent):
    """The order was cancelled; `payment_id` is that of the payment, if the order was paid."""

    customer_phone: str
    total: Decimal
    placed_at: datetime
    reason: str
    payment_id: str | None
    cancelled_at: datetime


@dataclass(frozen=True, kw_only=True)
class MenuUpdated(DomainEvent):
    """An item on the menu was changed."""

    pizza_id: str
    changed: tuple[str, ...]
