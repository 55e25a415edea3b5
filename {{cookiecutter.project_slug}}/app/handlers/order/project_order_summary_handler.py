"""Keep the lists of orders."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler
from app.domain.order_events import OrderEvent
from app.persistence.projections import project
from app.read_models.order_summaries import PROJECTION


@event_handler(OrderEvent, in_transaction=True)
class ProjectOrderSummaryHandler(BaseEventHandler[OrderEvent]):
    """Keep the lists of orders. In the transaction: who places or changes an order looks for it in the list at once."""

    session: AsyncSession

    async def _handle(self, event: OrderEvent) -> None:
        await project(self.session, PROJECTION, self.record.raised)
