"""The order history of customers."""

from collections import defaultdict
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.order_events import OrderEvent
from app.persistence.mappings.order_read_tables import (
    customer_history,
    customer_history_orders,
    customer_history_pizzas,
)
from app.persistence.order_tables import menu_items
from app.persistence.projections import Projection, Row, Shares
from app.read_models.order_shares import fold_shares, pizzas_of, weight_of
from app.read_models.order_summaries import OrderSummaryView
from app.read_models.user_views import View

MOST_FAVOURITES = 3


class FavouritePizzaView(View):
    """A pizza, and how often a customer ordered it."""

    pizza_id: str
    name: str
    quantity: int


class OrderHistoryView(View):
    """A page of a customer's orders, the newest first, with totals of all orders that are not cancelled."""

    orders: tuple[OrderSummaryView, ...]
    total_orders: int
    total_spent: Decimal
    favourite_pizzas: tuple[FavouritePizzaView, ...]
    """At most three, the most ordered first."""


def shares_in_history(row: Row) -> Shares:
    """The share of an order in its customer's history; empty if the customer has no account."""
    user_id, counted = row["customer_user_id"], weight_of(row)
    if user_id is None:
        return {}
    pizzas: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: {"quantity": 0})
    for pizza_id, _, _ in pizzas_of(row):
        pizzas[customer_history_pizzas, user_id, pizza_id]["quantity"] += counted
    order = {"total_orders": counted, "total_spent": counted * row["total"]}
    return {(customer_history, user_id): order, **pizzas}


PROJECTION = Projection(
    "customer_history",
    "Order",
    OrderEvent,
    customer_history_orders,
    fold_shares,
    shares_in_history,
    (customer_history, customer_history_pizzas),
    in_transaction=True,
)
"""In the transaction: the totals are shown beside the order that was just placed. No row is shared by customers."""


async def spent_by(session: AsyncSession, user_id: UUID) -> tuple[int, Decimal]:
    """The number of a customer's orders, and their sum."""
    known = select(customer_history.c.total_orders, customer_history.c.total_spent)
    row = (await session.execute(known.where(customer_history.c.customer_user_id == user_id))).first()
    return (0, Decimal("0.00")) if row is None else (row.total_orders, row.total_spent)


async def favourites_of(session: AsyncSession, user_id: UUID) -> tuple[FavouritePizzaView, ...]:
    """The pizzas that a customer ordered most."""
    ordered = customer_history_pizzas.c
    name = func.coalesce(menu_items.c.name, ordered.pizza_id).label("name")
    favourites = (
        select(ordered.pizza_id, name, ordered.quantity)
        .select_from(customer_history_pizzas.outerjoin(menu_items, menu_items.c.id == ordered.pizza_id))
        .where(ordered.customer_user_id == user_id, ordered.quantity > 0)
        .order_by(ordered.quantity.desc(), ordered.pizza_id)
        .limit(MOST_FAVOURITES)
    )
    return tuple(FavouritePizzaView(**row) for row in (await session.execute(favourites)).mappings())
