"""Record planned and actual preparation times."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.domain.order_events import PizzaReady
from app.persistence.engine.upsert import insert_if_new
from app.persistence.order_tables import preparation_times


@event_handler(PizzaReady)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class TrackPreparationTimeHandler(BaseEventHandler[PizzaReady]):
    """Record how long a pizza took, if the kitchen reported it."""

    session: AsyncSession

    async def _handle(self, event: PizzaReady) -> None:
        if event.actual_cooking_time_minutes is None:
            return
        row = {
            "event_id": event.event_id,
            "pizza_id": event.pizza_id,
            "planned_minutes": event.preparation_minutes,
            "actual_minutes": event.actual_cooking_time_minutes,
            "ready_at": event.ready_at,
        }
        await insert_if_new(self.session, preparation_times, row)
