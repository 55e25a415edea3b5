"""What is read of orders: lists, details, the kitchen's queue, and totals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
IN_THE_KITCHEN = sa.text("status IN ('pending', 'cooking')")

Parts = tuple[sa.Column, ...]


def upgrade() -> None:
    """Go to this revision."""
    _orders()
    _shares("customer_history_orders")
    _shares("popular_pizzas_orders")
    _shares("daily_sales_orders")
    _totals()


def downgrade() -> None:
    """Go back to the one before."""
    for name in (
        "daily_sales_pizzas",
        "daily_sales",
        "daily_sales_orders",
        "popular_pizzas",
        "popular_pizzas_orders",
        "customer_history_pizzas",
        "customer_history",
        "customer_history_orders",
        "kitchen_queue",
        "order_details",
        "order_summaries",
    ):
        op.drop_table(name)


def _orders() -> None:
    _table(
        "order_summaries",
        _id("order_id"),
        _count("version"),
        *_customer(),
        *_progress(),
        _text("phone_digits"),
        _count("pizza_count"),
        _money("total_amount"),
    )
    for first in ((), ("status",), ("phone_digits",), ("customer_user_id",)):
        columns = [*first, "order_time", "order_id"]
        op.create_index(op.f(f"ix_order_summaries_{'_'.join(columns)}"), "order_summaries", columns)
    _table(
        "order_details",
        _id("order_id"),
        _count("version"),
        *_customer(),
        *_progress(),
        _text("customer_address"),
        _text("payment_method"),
        _text("payment_status"),
        _money("total_amount"),
        sa.Column("pizzas", JSON, nullable=False),
    )
    _table(
        "kitchen_queue",
        _id("order_id"),
        _count("version"),
        _text("customer_name"),
        *_progress(),
        _moment("started_at", nullable=True),
        *(_count(name) for name in ("pizza_count", "pizzas_ready", "total_preparation_minutes")),
        sa.Column("special_instructions", JSON, nullable=False),
    )
    op.create_index(
        op.f("ix_kitchen_queue_order_time_order_id"),
        "kitchen_queue",
        ["order_time", "order_id"],
        postgresql_where=IN_THE_KITCHEN,
        sqlite_where=IN_THE_KITCHEN,
    )


def _shares(name: str) -> None:
    _table(
        name,
        _id("order_id"),
        _count("version"),
        _id("customer_user_id", nullable=True),
        _day(),
        _text("status"),
        _money("total"),
        sa.Column("pizzas", JSON, nullable=False),
    )


def _totals() -> None:
    _table("customer_history", _id("customer_user_id"), _count("total_orders"), _money("total_spent"))
    _table("customer_history_pizzas", _id("customer_user_id"), _text("pizza_id"), _count("quantity"), keys=2)
    _table("popular_pizzas", _text("pizza_id"), _text("size"), *_sold(), keys=2)
    counts = [_count(name) for name in ("total_orders", "completed_orders", "cancelled_orders", "total_pizzas")]
    _table("daily_sales", _day(), *counts, _money("total_revenue"))
    _table("daily_sales_pizzas", _day(), _text("pizza_id"), *_sold(), keys=2)


def _table(name: str, *columns: sa.Column, keys: int = 1) -> None:
    """A table whose first columns are its key."""
    key = sa.PrimaryKeyConstraint(*(column.name for column in columns[:keys]), name=op.f(f"pk_{name}"))
    op.create_table(name, *columns, key)


def _customer() -> Parts:
    return _id("customer_user_id", nullable=True), _text("customer_name"), _text("customer_phone")


def _progress() -> Parts:
    return _text("status"), _moment("order_time"), _moment("estimated_ready_time")


def _sold() -> Parts:
    return _count("quantity"), _money("revenue")


def _day() -> sa.Column:
    return sa.Column("day", sa.Date(), nullable=False)


def _id(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def _text(name: str) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False)


def _count(name: str) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=False)


def _money(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _moment(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
