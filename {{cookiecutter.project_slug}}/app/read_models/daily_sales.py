"""The sales of each day."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.order_events import OrderEvent
from app.persistence.mappings.order_read_tables import daily_sales, daily_sales_orders, daily_sales_pizzas
from app.persistence.order_tables import menu_items
from app.persistence.projections import Projection, Row, Shares
from app.read_models.order_shares import fold_shares, pizzas_of, weight_of
from app.read_models.user_views import View


class SoldPizzaView(View):
    """How many of a pizza were sold on a day, and for how much."""

    pizza_id: str
    name: str
    quantity: int
    revenue: Decimal


class DailySalesView(View):
    """The sales of a day of the shop. Only `cancelled_orders` includes cancelled orders."""

    date: date
    total_orders: int
    completed_orders: int
    cancelled_orders: int
    total_pizzas: int
    total_revenue: Decimal
    pizzas: tuple[SoldPizzaView, ...] | None
    """The same by pizza, the most sold first; None if no details are requested."""


def shares_in_sales(row: Row) -> Shares:
    """The share of an order in the sales of its day."""
    counted, day = weight_of(row), row["day"]
    pizzas: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: {"quantity": 0, "revenue": Decimal(0)})
    for pizza_id, _, price in pizzas_of(row):
        share = pizzas[daily_sales_pizzas, day, pizza_id]
        share["quantity"] += counted
        share["revenue"] += counted * price
    sales = {
        "total_orders": counted,
        "completed_orders": int(row["status"] == "completed"),
        "cancelled_orders": 1 - counted,
        "total_pizzas": counted * len(row["pizzas"]),
        "total_revenue": counted * row["total"],
    }
    return {(daily_sales, day): sales, **pizzas}


PROJECTION = Projection(
    "daily_sales",
    "Order",
    OrderEvent,
    daily_sales_orders,
    fold_shares,
    shares_in_sales,
    (daily_sales, daily_sales_pizzas),
)
"""After the commit: orders of a day share a row, and would wait for each other."""


async def sales_of(session: AsyncSession, day: date, *, with_pizzas: bool) -> DailySalesView:
    """The sales of a day."""
    row = (await session.execute(select(daily_sales).where(daily_sales.c.day == day))).mappings().first()
    nothing: dict[str, Any] = {column.name: 0 for column in daily_sales.columns}
    sales: dict[str, Any] = nothing | {"total_revenue": Decimal("0.00")} if row is None else dict(row)
    del sales["day"]
    return DailySalesView(date=day, **sales, pizzas=await _pizzas(session, day) if with_pizzas else None)


async def _pizzas(session: AsyncSession, day: date) -> tuple[SoldPizzaView, ...]:
    sold = daily_sales_pizzas.c
    name = func.coalesce(menu_items.c.name, sold.pizza_id).label("name")
    wanted = (
        select(sold.pizza_id, name, sold.quantity, sold.revenue)
        .select_from(daily_sales_pizzas.outerjoin(menu_items, menu_items.c.id == sold.pizza_id))
        .where(sold.day == day, sold.quantity > 0)
        .order_by(sold.quantity.desc(), sold.pizza_id)
    )
    return tuple(SoldPizzaView(**row) for row in (await session.execute(wanted)).mappings())
