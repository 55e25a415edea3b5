"""The menu, orders, and what follows from them; the first menu; who may do what in the kitchen."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002_1"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

STAFF = "staff"
PERMISSIONS = {
    "staff": (
        "kitchen:read",
        "menu:update",
        "order:cancel",
        "order:cook",
        "order:manage",
        "order:pay",
        "order:read",
        "order:update",
        "report:read",
    ),
    "member": ("order:cancel", "order:pay", "order:read:own", "order:update"),
}
"""With `order:manage` they are for anybody's orders, without it for one's own."""

SIZES = ["small", "medium", "large"]
TOPPINGS = {
    "extra_cheese": ("Extra cheese", 150),
    "mushrooms": ("Mushrooms", 100),
    "olives": ("Olives", 100),
    "pepperoni": ("Pepperoni", 200),
    "basil": ("Fresh basil", 50),
}
ITEMS = (
    ("margherita", "Margherita", "Tomato, mozzarella and basil", "pizza", 1299, 15),
    ("pepperoni", "Pepperoni", "Tomato, mozzarella and spicy salami", "pizza", 1599, 18),
    ("quattro_formaggi", "Quattro formaggi", "Mozzarella, gorgonzola, fontina and parmesan", "pizza", 1699, 18),
    ("zucca", "Zucca", "Pumpkin, smoked scamorza and sage", "pizza", 1749, 20),
    ("garlic_bread", "Garlic bread", "Four pieces, warm", "appetizers", 599, 8),
    ("bruschetta", "Bruschetta", "Grilled bread with tomatoes and basil", "appetizers", 699, 6),
    ("lemonade", "Lemonade", "Made here, with mint", "drinks", 399, 2),
    ("espresso", "Espresso", "Short and strong", "drinks", 249, 2),
)
SEASONAL = {"zucca"}


def upgrade() -> None:
    """Go to this revision."""
    _menu()
    _orders()
    _what_follows()
    _fill_menu()
    op.bulk_insert(sa.table("kitchen", sa.column("id")), [{"id": 1}])
    roles = sa.table("roles", sa.column("name"), sa.column("is_admin", sa.Boolean))
    op.bulk_insert(roles, [{"name": STAFF, "is_admin": False}])
    op.bulk_insert(
        _permissions(), [{"role": role, "permission": one} for role, granted in PERMISSIONS.items() for one in granted]
    )


def downgrade() -> None:
    """Go back to the one before."""
    granted = _permissions()
    for role, named in PERMISSIONS.items():
        op.execute(granted.delete().where(granted.c.role == role, granted.c.permission.in_(named)))
    for name, column in (("user_roles", "role"), ("roles", "name")):
        of_staff = sa.table(name, sa.column(column))
        op.execute(of_staff.delete().where(of_staff.c[column] == STAFF))
    for name in (
        "preparation_times",
        "loyalty_points",
        "placed_orders",
        "kitchen",
        "order_lines",
        "orders",
        "toppings",
        "menu_items",
    ):
        op.drop_table(name)


def _permissions() -> sa.TableClause:
    return sa.table("role_permissions", sa.column("role"), sa.column("permission"))


def _menu() -> None:
    op.create_table(
        "menu_items",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("base_price", sa.BigInteger(), nullable=False),
        sa.Column("preparation_minutes", sa.Integer(), nullable=False),
        sa.Column("sizes", JSON, nullable=False),
        sa.Column("toppings", JSON, nullable=False),
        sa.Column("is_seasonal", sa.Boolean(), nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_menu_items")),
    )
    op.create_table(
        "toppings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_toppings")),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_name", sa.Text(), nullable=False),
        sa.Column("customer_phone", sa.Text(), nullable=False),
        sa.Column("customer_address", sa.Text(), nullable=False),
        sa.Column("customer_user_id", sa.Uuid()),
        sa.Column("payment_method", sa.Text(), nullable=False),
        sa.Column("card_token", sa.Text()),
        sa.Column("payment_status", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("placed_at", MOMENT, nullable=False),
        sa.Column("estimated_ready_at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    op.create_index(op.f("ix_orders_status_placed_at"), "orders", ["status", "placed_at"])
    op.create_index(op.f("ix_orders_customer_user_id_placed_at"), "orders", ["customer_user_id", "placed_at"])
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("pizza_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.Text(), nullable=False),
        sa.Column("toppings", JSON, nullable=False),
        sa.Column("special_instructions", sa.Text()),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("preparation_minutes", sa.Integer(), nullable=False),
        sa.Column("is_ready", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_lines_order_id_orders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("order_id", "position", name=op.f("pk_order_lines")),
    )
    op.create_table(
        "kitchen", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id", name=op.f("pk_kitchen"))
    )


def _what_follows() -> None:
    op.create_table(
        "placed_orders",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("placed_at", MOMENT, nullable=False),
        sa.Column("pizza_count", sa.Integer(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_placed_orders")),
    )
    op.create_index(op.f("ix_placed_orders_placed_at"), "placed_orders", ["placed_at"])
    op.create_table(
        "loyalty_points",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("awarded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_loyalty_points_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_loyalty_points")),
    )
    op.create_index(op.f("ix_loyalty_points_user_id"), "loyalty_points", ["user_id"])
    op.create_table(
        "preparation_times",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("pizza_id", sa.Text(), nullable=False),
        sa.Column("planned_minutes", sa.Integer(), nullable=False),
        sa.Column("actual_minutes", sa.Integer(), nullable=False),
        sa.Column("ready_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_preparation_times")),
    )
    op.create_index(op.f("ix_preparation_times_pizza_id"), "preparation_times", ["pizza_id"])


def _fill_menu() -> None:
    toppings = sa.table("toppings", sa.column("id"), sa.column("name"), sa.column("price"))
    op.bulk_insert(toppings, [{"id": one, "name": name, "price": price} for one, (name, price) in TOPPINGS.items()])
    named = ("id", "name", "description", "category", "base_price", "preparation_minutes")
    lists, flags = ("sizes", "toppings"), ("is_seasonal", "is_available")
    menu_items = sa.table(
        "menu_items",
        *(sa.column(name) for name in (*named, "version")),
        *(sa.column(name, JSON) for name in lists),
        *(sa.column(name, sa.Boolean) for name in flags),
    )
    rows = []
    for item in ITEMS:
        row = dict(zip(named, item, strict=True))
        is_pizza = row["category"] == "pizza"
        row |= {"sizes": SIZES if is_pizza else ["medium"], "toppings": list(TOPPINGS) if is_pizza else []}
        rows.append(row | {"is_seasonal": row["id"] in SEASONAL, "is_available": True, "version": 0})
    op.bulk_insert(menu_items, rows)
