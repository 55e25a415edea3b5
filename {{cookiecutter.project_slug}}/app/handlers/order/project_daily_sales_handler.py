"""Project the sales of each day."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.core.cqrs.event_types import EventTypes
from app.domain.order_events import OrderEvent
from app.persistence.projections import project_committed
from app.read_models.daily_sales import PROJECTION


@event_handler(OrderEvent)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class ProjectDailySalesHandler(BaseEventHandler[OrderEvent]):
    """Project the sales of each day, after the commit: orders of a day share a row, and would wait for each other."""

    session: AsyncSession
    types: EventTypes

    async def _handle(self, event: OrderEvent) -> None:
        await project_committed(self.session, PROJECTION, self.record.raised, self.types)
