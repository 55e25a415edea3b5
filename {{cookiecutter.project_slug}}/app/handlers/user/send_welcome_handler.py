"""Welcome new users."""

from uuid import uuid5

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.domain.ports import Notification, Notifications
from app.domain.user_events import UserCreated


@event_handler(UserCreated)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class SendWelcomeHandler(BaseEventHandler[UserCreated]):
    """Welcome a new user, once, unless the user was deleted in the meantime."""

    notifications: Notifications

    async def _handle(self, event: UserCreated) -> None:
        welcome = Notification(
            id=uuid5(event.event_id, "welcome"),
            user_id=event.user_id,
            kind="welcome",
            subject="Welcome!",
            body=f"Hello {event.full_name}, your account {event.username} is ready.",
        )
        await self.notifications.send(welcome)
