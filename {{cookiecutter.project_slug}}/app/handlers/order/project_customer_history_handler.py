"""Project each customer's totals."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler
from app.domain.order_events import OrderEvent
from app.persistence.projections import project
from app.read_models.customer_history import PROJECTION


@event_handler(OrderEvent, in_transaction=True)
class ProjectCustomerHistoryHandler(BaseEventHandler[OrderEvent]):
    """Project each customer's totals, in the transaction: they are shown beside the order that was just placed.

    Transactions do not wait for each other here, because each of these rows belongs to one customer.
    """

    session: AsyncSession

    async def _handle(self, event: OrderEvent) -> None:
        await project(self.session, PROJECTION, self.record.raised)
