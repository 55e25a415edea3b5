"""Award loyalty points."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.domain.order_events import OrderCompleted
from app.persistence.engine.upsert import insert_if_new
from app.persistence.order_tables import loyalty_points
from app.persistence.repositories.user_repository import UserRepository


@event_handler(OrderCompleted)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class AwardPointsHandler(BaseEventHandler[OrderCompleted]):
    """Give a customer with an account one point for each whole unit of money of a completed order, once."""

    session: AsyncSession
    users: UserRepository

    async def _handle(self, event: OrderCompleted) -> None:
        if event.customer_user_id is None or not await self.users.exists(event.customer_user_id):
            return
        row = {
            "order_id": event.order_id,
            "user_id": event.customer_user_id,
            "points": int(event.total),
            "awarded_at": event.completed_at,
        }
        await insert_if_new(self.session, loyalty_points, row)
