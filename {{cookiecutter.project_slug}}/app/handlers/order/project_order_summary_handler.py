"""Project the lists of orders."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler
from app.domain.order_events import OrderEvent
from app.persistence.projections import project
from app.read_models.order_summaries import PROJECTION


@event_handler(OrderEvent, in_transaction=True)
class ProjectOrderSummaryHandler(BaseEventHandler[OrderEvent]):
    """Project the lists of orders, in the transaction: users look for an order in the list right after a change."""

    session: AsyncSession

    async def _handle(self, event: OrderEvent) -> None:
        await project(self.session, PROJECTION, self.record.raised)
