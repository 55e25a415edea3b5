"""The mappings of orders with their lines, and of the menu."""

from sqlalchemy.orm import registry, relationship

from app.domain.menu import MenuItem
from app.domain.order import Order
from app.domain.order_line import OrderLine
from app.persistence.order_tables import menu_items, order_lines, orders


def map_aggregate(mapper_registry: registry) -> None:
    """Map these classes to their tables."""
    mapper_registry.map_imperatively(OrderLine, order_lines)
    mapper_registry.map_imperatively(
        Order,
        orders,
        # The aggregate counts its own versions; an UPDATE finds no row if its version has changed meanwhile.
        version_id_col=orders.c.version,
        version_id_generator=False,
        properties={
            "lines": relationship(
                OrderLine, order_by=order_lines.c.position, cascade="all, delete-orphan", lazy="selectin"
            )
        },
    )
    mapper_registry.map_imperatively(
        MenuItem, menu_items, version_id_col=menu_items.c.version, version_id_generator=False
    )
