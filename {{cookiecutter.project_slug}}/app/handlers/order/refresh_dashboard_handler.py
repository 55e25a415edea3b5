"""Refresh a customer's dashboard after an event of an order."""

from app.core.cqrs import BaseEventHandler, Cache, event_handler
from app.domain.order_events import OrderEvent


@event_handler(OrderEvent)
class RefreshDashboardHandler(BaseEventHandler[OrderEvent]):
    """Invalidate the cached dashboard of the customer, no matter which user changed the order."""

    cache: Cache

    async def _handle(self, event: OrderEvent) -> None:
        if event.customer_user_id is not None:
            await self.cache.invalidate((f"user:{event.customer_user_id}",))
