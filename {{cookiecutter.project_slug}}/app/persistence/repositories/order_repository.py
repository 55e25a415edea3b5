"""The repository of orders."""

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
        """Load an order for changing it. It is locked until the transaction ends.

        Raises:
            ResourceNotFoundError: if there is no such order.
        """
        order = await self._session.get(Order, order_id, with_for_update=True)
        if order is None:
            raise no_such_order()
        return order

    async def lock_kitchen(self) -> None:
        """Wait until no other transaction is placing an order, and block others until this one ends."""
        await self._session.execute(select(kitchen.c.id).with_for_update())

    async def in_the_kitchen(self) -> tuple[int, datetime | None]:
        """The number of orders that are not ready, and the earliest estimate of when one will be."""
        counted = select(func.count(), func.min(orders.c.estimated_ready_at)).where(orders.c.status.in_(IN_THE_KITCHEN))
        count, first_ready = (await self._session.execute(counted)).one()
        return count, first_ready


def no_such_order() -> ResourceNotFoundError:
    """The error for an order that does not exist."""
    return ResourceNotFoundError("There is no such order.")
