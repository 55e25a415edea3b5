"""The order, from its placement to the last pizza out of the oven."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.core.cqrs import AggregateRoot, BadRequestError, ConflictError
from app.domain import order_events as events
from app.domain.customer import Customer
from app.domain.order_events import OrderedPizza
from app.domain.order_line import OrderLine, OrderStatus, PaymentMethod, PaymentStatus
from app.domain.payments import WrongAmountError


class Order(AggregateRoot):
    """An order and its progress. Only a pending order can be changed or cancelled."""

    id: UUID
    customer_name: str
    customer_phone: str
    customer_address: str
    customer_user_id: UUID | None
    payment_method: PaymentMethod
    card_token: str | None
    payment_status: PaymentStatus
    payment_id: str | None
    status: OrderStatus
    total: Decimal
    placed_at: datetime
    estimated_ready_at: datetime
    lines: list[OrderLine]

    def __init__(self, id: UUID, customer: Customer, pizzas: Sequence[OrderedPizza], placed_at: datetime) -> None:
        self.id = id
        self.customer_name = customer.name
        self.customer_phone = customer.phone
        self.customer_address = customer.address
        self.customer_user_id = customer.user_id
        self.status = "pending"
        self.payment_status, self.payment_id = "open", None
        self.total = sum((pizza.price for pizza in pizzas), Decimal(0))
        self.placed_at = placed_at
        self.estimated_ready_at = placed_at + timedelta(minutes=sum(pizza.preparation_minutes for pizza in pizzas))
        self.lines = [
            OrderLine(position, **{**asdict(pizza), "toppings": list(pizza.toppings)})
            for position, pizza in enumerate(pizzas)
        ]

    @classmethod
    def place(
        cls,
        id: UUID,
        customer: Customer,
        pizzas: Sequence[OrderedPizza],
        placed_at: datetime,
        payment_method: PaymentMethod = "cash",
        card_token: str | None = None,
    ) -> "Order":
        """Place a new order. Pizzas are made one after the other, which gives the estimated time."""
        order = cls(id, customer, pizzas, placed_at)
        order.payment_method, order.card_token = payment_method, card_token
        order._raise(
            events.OrderPlaced,
            customer_name=customer.name,
            customer_phone=customer.phone,
            customer_address=customer.address,
            pizzas=tuple(pizzas),
            payment_method=payment_method,
            total=order.total,
            placed_at=placed_at,
            estimated_ready_time=order.estimated_ready_at,
        )
        return order

    def require_unpaid(self, amount: Decimal) -> None:
        """Make sure that this amount can be paid for the order.

        Raises:
            WrongAmountError: if it is not what the order costs.
            ConflictError: if the order is paid or cancelled.
        """
        if amount != self.total:
            raise WrongAmountError(f"The order costs {self.total}.", details={"amount": "is not the order's total"})
        if self.status == "cancelled" or self.payment_status == "paid":
            raise ConflictError(f"This order is {'cancelled' if self.status == 'cancelled' else 'paid'} already.")

    def pay(self, payment_id: str, now: datetime) -> None:
        """Record that the customer was charged."""
        self.payment_status, self.payment_id = "paid", payment_id
        self._raise(events.PaymentProcessed, payment_id=payment_id, amount=self.total, paid_at=now)

    def decline(self, reason: str, now: datetime) -> None:
        """Record that the customer could not be charged; a repetition changes nothing."""
        if self.payment_status != "declined":
            self.payment_status = "declined"
            self._raise(events.PaymentDeclined, amount=self.total, reason=reason, declined_at=now)

    def start_cooking(self, kitchen_staff_id: str, minutes: int, now: datetime) -> None:
        """Start to cook the order; `minutes` is the estimated cooking time.

        Raises:
            ConflictError: if the order is not pending.
        """
        self._require("pending")
        self.status = "cooking"
        self.estimated_ready_at = now + timedelta(minutes=minutes)
        self._raise(
            events.CookingStarted,
            kitchen_staff_id=kitchen_staff_id,
            estimated_cooking_time_minutes=minutes,
            started_at=now,
            estimated_ready_time=self.estimated_ready_at,
        )

    def mark_ready(self, index: int, actual_minutes: int | None, now: datetime) -> None:
        """Record that a pizza is ready, by its index from 0; the last one completes the order.

        Raises:
            BadRequestError: if the order has no such pizza.
            ConflictError: if the order is not being cooked, or the pizza is ready already.
        """
        line = self._line_in_oven(index)
        line.is_ready = True
        self._raise(
            events.PizzaReady,
            pizza_index=index,
            pizza_id=line.pizza_id,
            preparation_minutes=line.preparation_minutes,
            actual_cooking_time_minutes=actual_minutes,
            ready_at=now,
        )
        if all(line.is_ready for line in self.lines):
            self.status = "completed"
            self._raise(events.OrderCompleted, **self._summary, completed_at=now)

    def cancel(self, reason: str, now: datetime) -> None:
        """Cancel the order.

        Raises:
            ConflictError: if the order is not pending.
        """
        self._require("pending")
        self.status = "cancelled"
        self._raise(events.OrderCancelled, **self._summary, reason=reason, payment_id=self.payment_id, cancelled_at=now)

    def send_to(self, address: str) -> None:
        """Change the address of the order; the same address changes nothing.

        Raises:
            ConflictError: if the order is not pending.
        """
        self._require("pending")
        if address != self.customer_address:
            self.customer_address = address
            self._raise(events.OrderAddressUpdated, customer_address=address)

    def _line_in_oven(self, index: int) -> OrderLine:
        if not 0 <= index < len(self.lines):
            raise BadRequestError(
                f"Its pizzas are numbered 0 to {len(self.lines) - 1}.", details={"index": "is not a pizza of it"}
            )
        self._require("cooking")
        if self.lines[index].is_ready:
            raise ConflictError("This pizza is ready already.")
        return self.lines[index]

    @property
    def _summary(self) -> dict[str, Any]:
        return {"customer_phone": self.customer_phone, "total": self.total, "placed_at": self.placed_at}

    def _require(self, status: OrderStatus) -> None:
        if self.status != status:
            raise ConflictError(f"This order is {self.status}, and not {status}.", details={"status": self.status})

    def _raise(self, event: Any, **facts: Any) -> None:
        self.raise_event(event(order_id=self.id, customer_user_id=self.customer_user_id, **facts))
