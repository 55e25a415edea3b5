"""The queue of the kitchen, first in, first out."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.order_events import CookingStarted, OrderEvent, OrderPlaced, PizzaReady
from app.persistence.mappings.order_read_tables import IN_THE_KITCHEN, kitchen_queue
from app.persistence.projections import Projection, Row
from app.read_models.order_status import with_status
from app.read_models.user_views import View

STATUSES_IN_THE_KITCHEN = ("pending", "cooking")


class QueuedOrderView(View):
    """An order that the kitchen has to make, or is making."""

    order_id: UUID
    customer_name: str
    status: str
    order_time: datetime
    started_at: datetime | None
    estimated_ready_time: datetime
    pizza_count: int
    pizzas_ready: int
    total_preparation_minutes: int
    special_instructions: tuple[str, ...]


def fold_queue(row: Row, event: OrderEvent) -> Row:
    """The row of an order after an event."""
    match event:
        case OrderPlaced():
            return _placed(event)
        case CookingStarted():
            row = {**row, "started_at": event.started_at, "estimated_ready_time": event.estimated_ready_time}
        case PizzaReady():
            return {**row, "pizzas_ready": row["pizzas_ready"] + 1}
    return with_status(row, event)


PROJECTION = Projection("kitchen_queue", "Order", OrderEvent, kitchen_queue, fold_queue, in_transaction=True)
"""In the transaction: a cook must not see an order waiting that another has begun."""


def _placed(event: OrderPlaced) -> Row:
    wishes = [pizza.special_instructions for pizza in event.pizzas]
    return {
        "customer_name": event.customer_name,
        "status": "pending",
        "order_time": event.placed_at,
        "started_at": None,
        "estimated_ready_time": event.estimated_ready_time,
        "pizza_count": len(event.pizzas),
        "pizzas_ready": 0,
        "total_preparation_minutes": sum(pizza.preparation_minutes for pizza in event.pizzas),
        "special_instructions": [wish for wish in wishes if wish],
    }


SELECT_QUEUE = (
    select(*(kitchen_queue.c[name] for name in QueuedOrderView.model_fields))
    .where(IN_THE_KITCHEN)
    .order_by(kitchen_queue.c.order_time, kitchen_queue.c.order_id)
)


async def queued_orders(session: AsyncSession, status: str | None, limit: int) -> list[QueuedOrderView]:
    """The first orders in the queue, up to a limit; with a status, only those."""
    wanted = SELECT_QUEUE if status is None else SELECT_QUEUE.where(kitchen_queue.c.status == status)
    return [QueuedOrderView(**row) for row in (await session.execute(wanted.limit(limit))).mappings()]
