"""Read the kitchen's queue."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, authorize, query_handler
from app.read_models.kitchen_queue import STATUSES_IN_THE_KITCHEN, QueuedOrderView, queued_orders

MOST_SHOWN = 200


@dataclass(frozen=True)
class GetKitchenQueueQuery(IQuery[list[QueuedOrderView]]):
    """Read the orders in the kitchen: all, or only those that are `pending` or `cooking`."""

    status: str | None = None

    def validate(self) -> dict[str, str]:
        """The rule for the status."""
        if self.status is None or self.status in STATUSES_IN_THE_KITCHEN:
            return {}
        return {"status": f"must be {' or '.join(STATUSES_IN_THE_KITCHEN)}"}


@query_handler(GetKitchenQueueQuery)
@authorize(permissions=["kitchen:read"])
class GetKitchenQueueHandler(BaseQueryHandler[GetKitchenQueueQuery, list[QueuedOrderView]]):
    """Read the orders that wait or are being made, first in, first out; the first 200.

    Never cached, so that a cook sees at once which orders another cook has begun.
    """

    session: AsyncSession

    async def _handle(self, query: GetKitchenQueueQuery) -> list[QueuedOrderView]:
        return await queued_orders(self.session, query.status, MOST_SHOWN)
