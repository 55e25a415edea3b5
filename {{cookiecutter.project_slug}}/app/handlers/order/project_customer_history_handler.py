"""Keep each customer's totals."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler
from app.domain.order_events import OrderEvent
from app.persistence.projections import project
from app.read_models.customer_history import PROJECTION


@event_handler(OrderEvent, in_transaction=True)
class ProjectCustomerHistoryHandler(BaseEventHandler[OrderEvent]):
    """Keep each customer's totals. In the transaction: they stand beside the order that the customer just placed.

    Nobody waits for that, because nobody shares these totals with anybody else.
    """

    session: AsyncSession

    async def _handle(self, event: OrderEvent) -> None:
        await project(self.session, PROJECTION, self.record.raised)
