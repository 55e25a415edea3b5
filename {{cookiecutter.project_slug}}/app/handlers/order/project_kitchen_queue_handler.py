"""Project the kitchen's queue."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler
from app.domain.order_events import OrderEvent
from app.persistence.projections import project
from app.read_models.kitchen_queue import PROJECTION


@event_handler(OrderEvent, in_transaction=True)
class ProjectKitchenQueueHandler(BaseEventHandler[OrderEvent]):
    """Project the kitchen's queue, in the transaction: a cook must not see an order waiting that another has begun."""

    session: AsyncSession

    async def _handle(self, event: OrderEvent) -> None:
        await project(self.session, PROJECTION, self.record.raised)
