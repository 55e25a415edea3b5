"""The repository of the menu."""

from collections.abc import Iterable
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import ResourceNotFoundError
from app.domain.menu import MenuItem
from app.persistence.order_tables import menu_items, toppings


class MenuRepository:
    """The menu, in the unit of work of the operation."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def by_id(self, pizza_ids: Iterable[str]) -> dict[str, MenuItem]:
        """The items on the menu with these ids: id -> item. Unknown ids are left out."""
        found = await self._session.scalars(select(MenuItem).where(menu_items.c.id.in_(set(pizza_ids))))
        return {item.id: item for item in found}

    async def topping_prices(self) -> dict[str, Decimal]:
        """The prices of all toppings: id -> price."""
        return {row.id: row.price for row in await self._session.execute(select(toppings.c.id, toppings.c.price))}

    async def locked(self, pizza_id: str) -> MenuItem:
        """Load an item for changing it. It is locked until the transaction ends.

        Raises:
            ResourceNotFoundError: if it is not on the menu.
        """
        item = await self._session.get(MenuItem, pizza_id, with_for_update=True)
        if item is None:
            raise ResourceNotFoundError("This is not on the menu.")
        return item
