"""Project the counts of ordered pizzas."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.core.cqrs.event_types import EventTypes
from app.domain.order_events import OrderEvent
from app.persistence.projections import project_committed
from app.read_models.popular_pizzas import PROJECTION


@event_handler(OrderEvent)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class ProjectPopularPizzasHandler(BaseEventHandler[OrderEvent]):
    """Project the counts of ordered pizzas, after the commit: orders share these rows, and would block each other."""

    session: AsyncSession
    types: EventTypes

    async def _handle(self, event: OrderEvent) -> None:
        await project_committed(self.session, PROJECTION, self.record.raised, self.types)
