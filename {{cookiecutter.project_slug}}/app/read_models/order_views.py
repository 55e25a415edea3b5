"""Views of an order, for everybody who has its id."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.persistence.mappings.order_read_tables import order_details, order_summaries
from app.persistence.repositories.order_repository import no_such_order
from app.read_models.user_views import View


class OrderedPizzaView(View):
    """A pizza of an order; `index` identifies it in the kitchen."""

    index: int
    pizza_id: str
    name: str
    size: str
    price: Decimal
    toppings: tuple[str, ...]
    special_instructions: str | None
    is_ready: bool


class OrderStatusView(View):
    """The progress of an order."""

    order_id: UUID
    status: str
    customer_name: str
    order_time: datetime
    estimated_ready_time: datetime
    total_amount: Decimal
    pizzas: list[OrderedPizzaView]


class OrderView(OrderStatusView):
    """Everything about an order except the card."""

    customer_phone: str
    customer_address: str
    payment_method: str
    payment_status: str


class TimelineEntryView(View):
    """An event of an order, and its details."""

    event: str
    occurred_at: datetime
    details: dict[str, Any]


class RecentOrderView(View):
    """An order in a list of recent orders."""

    order_id: UUID
    status: str
    order_time: datetime
    total_amount: Decimal


async def read_order(session: AsyncSession, order_id: UUID) -> OrderView:
    """Read an order.

    Raises:
        ResourceNotFoundError: if there is no such order.
    """
    found = await session.execute(_columns(order_details, OrderView).where(order_details.c.order_id == order_id))
    row = found.mappings().one_or_none()
    if row is None:
        raise no_such_order()
    return OrderView(**row)


async def recent_orders(session: AsyncSession, user_id: UUID, most: int) -> list[RecentOrderView]:
    """The newest orders of a customer with an account."""
    newest = (
        _columns(order_summaries, RecentOrderView)
        .where(order_summaries.c.customer_user_id == user_id)
        .order_by(order_summaries.c.order_time.desc(), order_summaries.c.order_id.desc())
        .limit(most)
    )
    return [RecentOrderView(**row) for row in (await session.execute(newest)).mappings()]


def _columns(table: Table, view: type[View]) -> Select[Any]:
    return select(*(table.c[name] for name in view.model_fields))
