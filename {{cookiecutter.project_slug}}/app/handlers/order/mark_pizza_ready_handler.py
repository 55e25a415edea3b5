"""Record that a pizza is ready."""

from dataclasses import dataclass

from app.core.cqrs import BaseCommandHandler, Clock, authorize, command_handler, invalidates, transactional
from app.domain.menu import minutes_problem
from app.domain.text import only_problems
from app.handlers.order.order_command import OrderCommand, OrderProgress, progress_of
from app.persistence.repositories.order_repository import OrderRepository


@dataclass(frozen=True)
class MarkPizzaReadyCommand(OrderCommand[OrderProgress]):
    """Record that a pizza of an order is ready, by its index from 0, and how many minutes it took."""

    pizza_index: int
    actual_cooking_time_minutes: int | None = None

    def validate(self) -> dict[str, str]:
        """The rule for the cooking time."""
        minutes = self.actual_cooking_time_minutes
        return only_problems({"actual_cooking_time_minutes": None if minutes is None else minutes_problem(minutes)})


@command_handler(MarkPizzaReadyCommand)
@transactional()
@authorize(permissions=["order:cook"])
@invalidates("order:{order_id}")
class MarkPizzaReadyHandler(BaseCommandHandler[MarkPizzaReadyCommand, OrderProgress]):
    """Record that a pizza of an order is ready, by its index from 0; the last one completes the order.

    An order that has no such pizza: 400. One that is not being cooked, or a pizza that is ready already: 409.
    """

    orders: OrderRepository
    clock: Clock

    async def _handle(self, command: MarkPizzaReadyCommand) -> OrderProgress:
        order = await self.orders.locked(command.order_id)
        order.mark_ready(command.pizza_index, command.actual_cooking_time_minutes, self.clock.now())
        return progress_of(order)
