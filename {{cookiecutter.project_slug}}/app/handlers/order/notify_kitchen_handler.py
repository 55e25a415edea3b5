"""Notify the kitchen of an order."""

from uuid import uuid5

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.domain.order_events import OrderPlaced
from app.domain.ports import Notification, Notifications
from app.persistence.tables import user_roles, users

STAFF = "staff"


@event_handler(OrderPlaced)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class NotifyKitchenHandler(BaseEventHandler[OrderPlaced]):
    """Notify every active user with the role `staff` of the pizzas to cook, once."""

    session: AsyncSession
    notifications: Notifications

    async def _handle(self, event: OrderPlaced) -> None:
        pizzas = ", ".join(f"{pizza.size} {pizza.name}" for pizza in event.pizzas)
        staff = select(user_roles.c.user_id).join(users).where(user_roles.c.role == STAFF, users.c.is_active)
        for user_id in await self.session.scalars(staff):
            notice = Notification(
                id=uuid5(event.event_id, f"kitchen:{user_id}"),
                user_id=user_id,
                kind="kitchen_notice",
                subject=f"To cook: {len(event.pizzas)}",
                body=f"Order {event.order_id}: {pizzas}.",
            )
            await self.notifications.send(notice)
