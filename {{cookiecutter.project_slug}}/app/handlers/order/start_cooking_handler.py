"""Start to cook an order."""

from dataclasses import dataclass

from app.core.cqrs import BaseCommandHandler, Clock, authorize, command_handler, invalidates, transactional
from app.domain.menu import minutes_problem
from app.domain.order_line import LONGEST_STAFF_ID
from app.domain.text import line_problem, only_problems
from app.handlers.order.order_command import OrderCommand, OrderProgress, progress_of
from app.persistence.repositories.order_repository import OrderRepository


@dataclass(frozen=True)
class StartCookingCommand(OrderCommand[OrderProgress]):
    """Start to cook an order, with the estimated cooking time."""

    kitchen_staff_id: str
    estimated_cooking_time_minutes: int

    def validate(self) -> dict[str, str]:
        """The rules for the cook and the cooking time."""
        return only_problems(
            {
                "kitchen_staff_id": line_problem(self.kitchen_staff_id, LONGEST_STAFF_ID),
                "estimated_cooking_time_minutes": minutes_problem(self.estimated_cooking_time_minutes),
            }
        )


@command_handler(StartCookingCommand)
@transactional()
@authorize(permissions=["order:cook"])
@invalidates("order:{order_id}")
class StartCookingHandler(BaseCommandHandler[StartCookingCommand, OrderProgress]):
    """Start to cook a pending order; one that is not pending: 409. If two cooks start at once, one succeeds."""

    orders: OrderRepository
    clock: Clock

    async def _handle(self, command: StartCookingCommand) -> OrderProgress:
        order = await self.orders.locked(command.order_id)
        order.start_cooking(command.kitchen_staff_id, command.estimated_cooking_time_minutes, self.clock.now())
        return progress_of(order)
