"""Orders by id."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import ResourceNotFoundError
from app.domain.order import Order
from app.persistence.order_tables import kitchen, orders

IN_THE_KITCHEN: Sequence[str] = ("pending", "cooking")


class OrderRepository:
    """The orders, in the unit of work of the operation."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, order: Order) -> None:
        """Store a new order."""
        self._session.add(order)
        await self._session.flush()

    async def locked(self, order_id: UUID) -> Order:
        """An order, to be changed: nobody else can until this is committed.

        Raises:
            ResourceNotFoundError: there is no such order.
        """
        order = await self._session.get(Order, order_id, with_for_update=True)
        if order is None:
            raise no_such_order()
        return order

    async def lock_kitchen(self) -> None:
        """Wait until nobody else is about to place an order; the next one then waits for this to be committed."""
        await self._session.execute(select(kitchen.c.id).with_for_update())

    async def in_the_kitchen(self) -> tuple[int, datetime | None]:
        """How many orders are not ready, and when the first of them will be."""
        counted = select(func.count(), func.min(orders.c.estimated_ready_at)).where(orders.c.status.in_(IN_THE_KITCHEN))
        count, first_ready = (await self._session.execute(counted)).one()
        return count, first_ready


def no_such_order() -> ResourceNotFoundError:
    """The error for an order that does not exist."""
    return ResourceNotFoundError("There is no such order.")
