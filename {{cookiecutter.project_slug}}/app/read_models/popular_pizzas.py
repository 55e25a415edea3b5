"""Which pizzas are ordered most."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.order_events import OrderEvent
from app.persistence.mappings.order_read_tables import popular_pizzas, popular_pizzas_orders
from app.persistence.order_tables import menu_items
from app.persistence.projections import Projection, Row, Shares
from app.read_models.order_shares import fold_shares, pizzas_of, weight_of
from app.read_models.user_views import View


class SoldSizeView(View):
    """How many pizzas of one size were ordered, and for how much."""

    size: str
    quantity: int
    revenue: Decimal


class PopularPizzaView(View):
    """How many of a pizza were ordered, and for how much."""

    pizza_id: str
    name: str
    quantity: int
    revenue: Decimal
    sizes: tuple[SoldSizeView, ...] | None
    """The same by size; None if no details are requested."""


def shares_in_popularity(row: Row) -> Shares:
    """The share of an order in the counts of its pizzas."""
    counted = weight_of(row)
    pizzas: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: {"quantity": 0, "revenue": Decimal(0)})
    for pizza_id, size, price in pizzas_of(row):
        share = pizzas[popular_pizzas, pizza_id, size]
        share["quantity"] += counted
        share["revenue"] += counted * price
    return pizzas


PROJECTION = Projection(
    "popular_pizzas", "Order", OrderEvent, popular_pizzas_orders, fold_shares, shares_in_popularity, (popular_pizzas,)
)
"""After the commit: orders share these rows, and would wait for each other."""


async def most_popular(session: AsyncSession, limit: int, *, with_sizes: bool) -> list[PopularPizzaView]:
    """The most ordered pizzas, up to a limit. The query sums the few sizes of each pizza, not orders."""
    sold = popular_pizzas.c
    quantity = func.sum(sold.quantity).label("quantity")
    revenue = func.sum(sold.revenue, type_=sold.revenue.type).label("revenue")
    name = func.coalesce(menu_items.c.name, sold.pizza_id).label("name")
    wanted = (
        select(sold.pizza_id, name, quantity, revenue)
        .select_from(popular_pizzas.outerjoin(menu_items, menu_items.c.id == sold.pizza_id))
        .group_by(sold.pizza_id, name)
        .having(quantity > 0)
        .order_by(quantity.desc(), sold.pizza_id)
        .limit(limit)
    )
    found = [dict(row) for row in (await session.execute(wanted)).mappings()]
    sizes = await _sizes(session, [row["pizza_id"] for row in found]) if with_sizes else {}
    return [PopularPizzaView(**row, sizes=sizes.get(row["pizza_id"])) for row in found]


async def _sizes(session: AsyncSession, pizza_ids: list[str]) -> dict[str, tuple[SoldSizeView, ...]]:
    sold = popular_pizzas.c
    wanted = select(popular_pizzas).where(sold.pizza_id.in_(pizza_ids), sold.quantity > 0)
    sizes: dict[str, tuple[SoldSizeView, ...]] = {}
    for row in await session.execute(wanted.order_by(sold.quantity.desc(), sold.size)):
        size = SoldSizeView(size=row.size, quantity=row.quantity, revenue=row.revenue)
        sizes[row.pizza_id] = (*sizes.get(row.pizza_id, ()), size)
    return sizes
