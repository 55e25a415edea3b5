"""Project the details of orders."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler
from app.domain.order_events import OrderEvent
from app.persistence.projections import project
from app.read_models.order_details import PROJECTION


@event_handler(OrderEvent, in_transaction=True)
class ProjectOrderDetailsHandler(BaseEventHandler[OrderEvent]):
    """Project the details of an order, in the transaction: the response to a command links to them."""

    session: AsyncSession

    async def _handle(self, event: OrderEvent) -> None:
        await project(self.session, PROJECTION, self.record.raised)
