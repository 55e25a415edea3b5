"""Offer invoices to new users."""

from uuid import uuid5

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.domain.ports import Notification, Notifications
from app.domain.user_events import UserCreated


@event_handler(UserCreated)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class OfferInvoicesHandler(BaseEventHandler[UserCreated]):
    """Tell new users of invoices, beside the welcome that they get."""

    notifications: Notifications

    async def _handle(self, event: UserCreated) -> None:
        told = Notification(
            id=uuid5(event.event_id, "offer_invoices"),
            user_id=event.user_id,
            kind="offer_invoices",
            subject="Invoices",
            body="You may pay later.",
        )
        await self.notifications.send(told)
