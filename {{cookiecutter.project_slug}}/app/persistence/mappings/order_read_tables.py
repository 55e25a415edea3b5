"""The tables of the read models of orders. They are in this package so that migrations find them.

The first table of each read model has a row for every order, with the `version` of the last event folded into it; its
other tables are totals over many orders. See `app.persistence.projections.projection`.
"""

from typing import Any

from sqlalchemy import Column, Date, Index, Integer, Table, Text, Uuid, text

from app.persistence.column_types import Json, Money, UtcDateTime
from app.persistence.tables import metadata


def _order() -> tuple[Column[Any], ...]:
    return Column("order_id", Uuid, primary_key=True), Column("version", Integer, nullable=False)


def _customer() -> tuple[Column[Any], ...]:
    return (
        Column("customer_user_id", Uuid),
        Column("customer_name", Text, nullable=False),
        Column("customer_phone", Text, nullable=False),
    )


def _progress() -> tuple[Column[Any], ...]:
    return (
        Column("status", Text, nullable=False),
        Column("order_time", UtcDateTime, nullable=False),
        Column("estimated_ready_time", UtcDateTime, nullable=False),
    )


def _shares(name: str) -> Table:
    """The contribution of each order to totals, so that it can be subtracted again."""
    return Table(
        name,
        metadata,
        *_order(),
        Column("customer_user_id", Uuid),
        Column("day", Date, nullable=False),
        Column("status", Text, nullable=False),
        Column("total", Money, nullable=False),
        Column("pizzas", Json, nullable=False),
    )


order_summaries = Table(
    "order_summaries",
    metadata,
    *_order(),
    *_customer(),
    *_progress(),
    Column("phone_digits", Text, nullable=False),
    Column("pizza_count", Integer, nullable=False),
    Column("total_amount", Money, nullable=False),
    Index(None, "order_time", "order_id"),
    Index(None, "status", "order_time", "order_id"),
    Index(None, "phone_digits", "order_time", "order_id"),
    Index(None, "customer_user_id", "order_time", "order_id"),
)

order_details = Table(
    "order_details",
    metadata,
    *_order(),
    *_customer(),
    *_progress(),
    Column("customer_address", Text, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("payment_status", Text, nullable=False),
    Column("total_amount", Money, nullable=False),
    Column("pizzas", Json, nullable=False),
)

IN_THE_KITCHEN = text("status IN ('pending', 'cooking')")

kitchen_queue = Table(
    "kitchen_queue",
    metadata,
    *_order(),
    Column("customer_name", Text, nullable=False),
    *_progress(),
    Column("started_at", UtcDateTime),
    Column("pizza_count", Integer, nullable=False),
    Column("pizzas_ready", Integer, nullable=False),
    Column("total_preparation_minutes", Integer, nullable=False),
    Column("special_instructions", Json, nullable=False),
    # The row of a finished order stays, for its version, but a partial index keeps it out of reads.
    Index(None, "order_time", "order_id", postgresql_where=IN_THE_KITCHEN, sqlite_where=IN_THE_KITCHEN),
)

customer_history_orders = _shares("customer_history_orders")
customer_history = Table(
    "customer_history",
    metadata,
    Column("customer_user_id", Uuid, primary_key=True),
    Column("total_orders", Integer, nullable=False),
    Column("total_spent", Money, nullable=False),
)
customer_history_pizzas = Table(
    "customer_history_pizzas",
    metadata,
    Column("customer_user_id", Uuid, primary_key=True),
    Column("pizza_id", Text, primary_key=True),
    Column("quantity", Integer, nullable=False),
)

popular_pizzas_orders = _shares("popular_pizzas_orders")
popular_pizzas = Table(
    "popular_pizzas",
    metadata,
    Column("pizza_id", Text, primary_key=True),
    Column("size", Text, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("revenue", Money, nullable=False),
)

daily_sales_orders = _shares("daily_sales_orders")
daily_sales = Table(
    "daily_sales",
    metadata,
    Column("day", Date, primary_key=True),
    Column("total_orders", Integer, nullable=False),
    Column("completed_orders", Integer, nullable=False),
    Column("cancelled_orders", Integer, nullable=False),
    Column("total_pizzas", Integer, nullable=False),
    Column("total_revenue", Money, nullable=False),
)
daily_sales_pizzas = Table(
    "daily_sales_pizzas",
    metadata,
    Column("day", Date, primary_key=True),
    Column("pizza_id", Text, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("revenue", Money, nullable=False),
)
