"""Count registrations."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.domain.user_events import UserCreated
from app.persistence.engine.upsert import insert_if_new
from app.persistence.tables import registrations


@event_handler(UserCreated)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class CountRegistrationHandler(BaseEventHandler[UserCreated]):
    """Count a registration, once, without its user."""

    session: AsyncSession

    async def _handle(self, event: UserCreated) -> None:
        row = {"event_id": event.event_id, "registered_at": event.occurred_at}
        await insert_if_new(self.session, registrations, row)
