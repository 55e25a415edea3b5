"""What whoever holds an order's id sees of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.persistence.order_tables import order_lines, orders
from app.persistence.repositories.order_repository import no_such_order
from app.read_models.user_views import View


class OrderedPizzaView(View):
    """A pizza of an order; `index` is what the kitchen calls it by."""

    index: int
    pizza_id: str
    name: str
    size: str
    toppings: tuple[str, ...]
    special_instructions: str | None
    price: Decimal
    is_ready: bool


class OrderStatusView(View):
    """How far an order is."""

    order_id: UUID
    status: str
    customer_name: str
    order_time: datetime
    estimated_ready_time: datetime
    total_amount: Decimal
    pizzas: list[OrderedPizzaView]


class OrderView(OrderStatusView):
    """Everything about an order, but for the card."""

    customer_phone: str
    customer_address: str
    payment_method: str
    payment_status: str


class TimelineEntryView(View):
    """Something that happened to an order, and what there is to say about it."""

    event: str
    occurred_at: datetime
    details: dict[str, Any]


class RecentOrderView(View):
    """An order, for a list."""

    order_id: UUID
    status: str
    order_time: datetime
    total_amount: Decimal


async def read_order(session: AsyncSession, order_id: UUID) -> OrderView:
    """An order.

    Raises:
        ResourceNotFoundError: there is no such order.
    """
    found = (await session.execute(select(orders).where(orders.c.id == order_id))).one_or_none()
    if found is None:
        raise no_such_order()
    of_order = select(order_lines).where(order_lines.c.order_id == order_id).order_by(order_lines.c.position)
    return _view(found, [_pizza(line) for line in await session.execute(of_order)])


async def recent_orders(session: AsyncSession, user_id: UUID, most: int) -> list[RecentOrderView]:
    """The newest orders of a customer with an account."""
    newest = (
        select(orders.c.id, orders.c.status, orders.c.placed_at, orders.c.total)
        .where(orders.c.customer_user_id == user_id)
        .order_by(orders.c.placed_at.desc(), orders.c.id)
        .limit(most)
    )
    return [
        RecentOrderView(order_id=row.id, status=row.status, order_time=row.placed_at, total_amount=row.total)
        for row in await session.execute(newest)
    ]


def _view(row: Row[Any], pizzas: list[OrderedPizzaView]) -> OrderView:
    return OrderView(
        order_id=row.id,
        status=row.status,
        customer_name=row.customer_name,
        customer_phone=row.customer_phone,
        customer_address=row.customer_address,
        order_time=row.placed_at,
        estimated_ready_time=row.estimated_ready_at,
        total_amount=row.total,
        payment_method=row.payment_method,
        payment_status=row.payment_status,
        pizzas=pizzas,
    )


def _pizza(row: Row[Any]) -> OrderedPizzaView:
    return OrderedPizzaView(
        index=row.position,
        pizza_id=row.pizza_id,
        name=row.name,
        size=row.size,
        toppings=tuple(row.toppings),
        special_instructions=row.special_instructions,
        price=row.price,
        is_ready=row.is_ready,
    )
