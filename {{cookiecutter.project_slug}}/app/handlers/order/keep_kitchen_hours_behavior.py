"""Accept orders only while the kitchen is open."""

from typing import Any

from app.core.cqrs import BusinessRuleViolationError, Clock, NextHandler, OperationResult, PipelineBehavior
from app.domain.kitchen import Kitchen
from app.handlers.order.place_order_handler import PlaceOrderCommand


class KeepKitchenHours(PipelineBehavior[PlaceOrderCommand]):
    """Refuse an order while the kitchen is closed, before anything else is looked at."""

    kitchen: Kitchen
    clock: Clock

    async def handle(self, message: PlaceOrderCommand, next_handler: NextHandler) -> OperationResult[Any]:
        """Continue if the kitchen is open.

        Raises:
            BusinessRuleViolationError: if it is closed.
        """
        hours = self.kitchen.hours
        if hours is not None and not hours.include(self.clock.now()):
            raise BusinessRuleViolationError(f"The kitchen is closed; it opens at {hours.opens:%H:%M}.")
        return await next_handler()
