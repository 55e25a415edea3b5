"""Cancel an order."""

from dataclasses import dataclass

from app.core.cqrs import BaseCommandHandler, Clock, authorize, command_handler, invalidates, transactional
from app.domain.order_line import LONGEST_REASON
from app.domain.text import line_problem, only_problems
from app.handlers.order.order_command import OrderCommand, OrderProgress, progress_of
from app.persistence.repositories.order_owners import OrderOwners
from app.persistence.repositories.order_repository import OrderRepository


@dataclass(frozen=True)
class CancelOrderCommand(OrderCommand[OrderProgress]):
    """Cancel an order for a reason; with `unless_paid`, an order that is paid by then is refused."""

    reason: str = "cancelled by the customer"
    unless_paid: bool = False

    def validate(self) -> dict[str, str]:
        """The rule for the reason."""
        return only_problems({"reason": line_problem(self.reason, LONGEST_REASON)})


@command_handler(CancelOrderCommand)
@transactional()
@authorize(permissions=["order:cancel"])
@invalidates("order:{order_id}")
class CancelOrderHandler(BaseCommandHandler[CancelOrderCommand, OrderProgress]):
    """Cancel a pending order; one that is not pending: 409. Customers cancel their own, `order:manage` cancels any.

    A payment is refunded.
    """

    orders: OrderRepository
    owners: OrderOwners
    clock: Clock

    async def _handle(self, command: CancelOrderCommand) -> OrderProgress:
        order = await self.orders.locked(command.order_id)
        await self.owners.require(order, self.metadata.user_id)
        if command.unless_paid:
            order.require_unpaid(order.total)
        order.cancel(command.reason, self.clock.now())
        return progress_of(order)
