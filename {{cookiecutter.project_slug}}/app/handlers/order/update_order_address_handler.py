"""Change the address of an order."""

from dataclasses import dataclass

from app.core.cqrs import BaseCommandHandler, authorize, command_handler, invalidates, transactional
from app.domain.customer import address_problem
from app.domain.text import only_problems
from app.handlers.order.order_command import OrderCommand, OrderProgress, progress_of
from app.persistence.repositories.order_owners import OrderOwners
from app.persistence.repositories.order_repository import OrderRepository


@dataclass(frozen=True)
class UpdateOrderAddressCommand(OrderCommand[OrderProgress]):
    """Change the address of an order."""

    customer_address: str

    def validate(self) -> dict[str, str]:
        """The rule for addresses."""
        return only_problems({"customer_address": address_problem(self.customer_address)})


@command_handler(UpdateOrderAddressCommand)
@transactional()
@authorize(permissions=["order:update"])
@invalidates("order:{order_id}")
class UpdateOrderAddressHandler(BaseCommandHandler[UpdateOrderAddressCommand, OrderProgress]):
    """Change the address of an order while it is pending: 409 afterwards.

    Customers change their own orders, `order:manage` changes any.
    """

    orders: OrderRepository
    owners: OrderOwners

    async def _handle(self, command: UpdateOrderAddressCommand) -> OrderProgress:
        order = await self.orders.locked(command.order_id)
        await self.owners.require(order, self.metadata.user_id)
        order.send_to(command.customer_address)
        return progress_of(order)
