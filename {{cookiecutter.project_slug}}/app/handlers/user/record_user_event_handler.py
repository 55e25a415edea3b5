"""Record events of users in the table `audit_log`."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler
from app.domain.user_events import UserEvent
from app.persistence.tables import audit_log


@event_handler(UserEvent, in_transaction=True)
class RecordUserEventHandler(BaseEventHandler[UserEvent]):
    """Record an event of a user, and its caller. In the same transaction, so that no change goes unrecorded."""

    session: AsyncSession

    async def _handle(self, event: UserEvent) -> None:
        entry = {
            "event_id": event.event_id,
            "happened": event.event_type,
            "user_id": event.user_id,
            "done_by": self.metadata.user_id,
            "operation_id": self.metadata.operation_id,
            "occurred_at": event.occurred_at,
        }
        await self.session.execute(insert(audit_log).values(entry))
