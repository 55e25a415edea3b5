"""Count orders."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.domain.order_events import OrderPlaced
from app.persistence.engine.upsert import insert_if_new
from app.persistence.order_tables import placed_orders


@event_handler(OrderPlaced)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class CountOrderHandler(BaseEventHandler[OrderPlaced]):
    """Count an order for the statistics, once, without its customer."""

    session: AsyncSession

    async def _handle(self, event: OrderPlaced) -> None:
        row = {
            "event_id": event.event_id,
            "placed_at": event.placed_at,
            "pizza_count": len(event.pizzas),
            "total": event.total,
        }
        await insert_if_new(self.session, placed_orders, row)
