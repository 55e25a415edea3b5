"""Views of the menu."""

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.persistence.order_tables import menu_items, toppings
from app.read_models.user_views import View


class ToppingView(View):
    """A topping for a pizza."""

    id: str
    name: str
    price: Decimal


class MenuItemView(View):
    """An item on the menu; the price of another size is the base price times 0.8 for small and 1.3 for large."""

    id: str
    name: str
    description: str
    category: str
    base_price: Decimal
    preparation_minutes: int
    sizes: tuple[str, ...]
    toppings: tuple[ToppingView, ...]
    is_seasonal: bool
    is_available: bool


async def read_menu(
    session: AsyncSession, category: str | None, include_seasonal: bool, include_unavailable: bool
) -> list[MenuItemView]:
    """The menu, by category and name."""
    known = {row.id: ToppingView(**row._mapping) for row in await session.execute(select(toppings))}
    wanted = select(menu_items).order_by(menu_items.c.category, menu_items.c.name)
    if category is not None:
        wanted = wanted.where(menu_items.c.category == category)
    if not include_seasonal:
        wanted = wanted.where(~menu_items.c.is_seasonal)
    if not include_unavailable:
        wanted = wanted.where(menu_items.c.is_available)
    return [
        MenuItemView(**{**row._mapping, "toppings": tuple(known[one] for one in row.toppings)})
        for row in await session.execute(wanted)
    ]
