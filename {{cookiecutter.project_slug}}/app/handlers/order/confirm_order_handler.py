"""Confirm an order to the customer."""

from uuid import uuid5

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.domain.order_events import OrderPlaced
from app.domain.ports import Notification, Notifications


@event_handler(OrderPlaced)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class ConfirmOrderHandler(BaseEventHandler[OrderPlaced]):
    """Confirm an order, once, to a customer with an account."""

    notifications: Notifications

    async def _handle(self, event: OrderPlaced) -> None:
        if event.customer_user_id is None:
            return
        confirmation = Notification(
            id=uuid5(event.event_id, "confirmation"),
            user_id=event.customer_user_id,
            kind="order_confirmation",
            subject="Your order",
            body=f"We have your order {event.order_id} over {event.total}; "
            f"it is ready at {event.estimated_ready_time:%H:%M} UTC.",
        )
        await self.notifications.send(confirmation)
