"""Read the events of an order."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, query_handler
from app.domain.order import Order
from app.persistence.events.event_log import stream
from app.persistence.repositories.order_repository import no_such_order
from app.read_models.order_views import TimelineEntryView

NOT_TOLD = {"order_id", "customer_user_id", "kitchen_staff_id"}
"""Fields that are the same in every entry, or not meant for customers."""


@dataclass(frozen=True)
class GetOrderTimelineQuery(IQuery[list[TimelineEntryView]]):
    """Read the events of an order."""

    order_id: UUID


@query_handler(GetOrderTimelineQuery)
class GetOrderTimelineHandler(BaseQueryHandler[GetOrderTimelineQuery, list[TimelineEntryView]]):
    """Read the events of an order from the event log, from the beginning. Everybody who has its id may."""

    session: AsyncSession

    async def _handle(self, query: GetOrderTimelineQuery) -> list[TimelineEntryView]:
        events = await stream(self.session, Order.aggregate_type, str(query.order_id))
        if not events:
            raise no_such_order()
        return [
            TimelineEntryView(
                event=event.event_type,
                occurred_at=event.occurred_at,
                details={name: value for name, value in event.payload.items() if name not in NOT_TOLD},
            )
            for event in events
        ]
