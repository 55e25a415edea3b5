"""The tables of the menu, of orders, and of data derived from orders."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, Uuid

from app.persistence.column_types import Json, Money, UtcDateTime
from app.persistence.tables import metadata

menu_items = Table(
    "menu_items",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("base_price", Money, nullable=False),
    Column("preparation_minutes", Integer, nullable=False),
    Column("sizes", Json, nullable=False),
    Column("toppings", Json, nullable=False),
    Column("is_seasonal", Boolean, nullable=False),
    Column("is_available", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)

toppings = Table(
    "toppings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("price", Money, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_name", Text, nullable=False),
    Column("customer_phone", Text, nullable=False),
    Column("customer_address", Text, nullable=False),
    Column("customer_user_id", Uuid),  # no foreign key: accounting keeps the orders of deleted users
    Column("payment_method", Text, nullable=False),
    Column("card_token", Text),
    Column("payment_status", Text, nullable=False),
    Column("payment_id", Text),
    Column("status", Text, nullable=False),
    Column("total", Money, nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("estimated_ready_at", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False),
    Index(None, "status", "placed_at"),
    Index(None, "customer_user_id", "placed_at"),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("pizza_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size", Text, nullable=False),
    Column("toppings", Json, nullable=False),
    Column("special_instructions", Text),
    Column("price", Money, nullable=False),
    Column("preparation_minutes", Integer, nullable=False),
    Column("is_ready", Boolean, nullable=False),
)

kitchen = Table("kitchen", metadata, Column("id", Integer, primary_key=True))
"""A single row. Its lock serialises the placing of orders, so that no order is added while they are counted."""

placed_orders = Table(
    "placed_orders",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("placed_at", UtcDateTime, nullable=False, index=True),
    Column("pizza_count", Integer, nullable=False),
    Column("total", Money, nullable=False),
)

loyalty_points = Table(
    "loyalty_points",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("points", Integer, nullable=False),
    Column("awarded_at", UtcDateTime, nullable=False),
)

preparation_times = Table(
    "preparation_times",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("pizza_id", Text, nullable=False, index=True),
    Column("planned_minutes", Integer, nullable=False),
    Column("actual_minutes", Integer, nullable=False),
    Column("ready_at", UtcDateTime, nullable=False),
)
