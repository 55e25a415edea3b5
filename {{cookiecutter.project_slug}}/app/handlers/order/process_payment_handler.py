"""Charge the customer for an order."""

from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from app.core.cqrs import (
    AuthorizationError,
    BaseCommandHandler,
    Clock,
    ConflictError,
    ResourceNotFoundError,
    authorize,
    command_handler,
    idempotent,
    invalidates,
    retry_on_failure,
    transactional,
)
from app.domain.money import amount_problem
from app.domain.order import Order
from app.domain.order_wish import card_token_problem
from app.domain.payments import (
    Charge,
    PaymentDeclinedError,
    Payments,
    PaymentsUnreachableError,
    WrongAmountError,
    charge_key,
)
from app.domain.text import only_problems
from app.handlers.order.order_command import OrderCommand
from app.persistence.repositories.order_owners import OrderOwners
from app.persistence.repositories.order_repository import OrderRepository


@dataclass(frozen=True)
class Receipt:
    """The receipt of a payment."""

    order_id: UUID
    payment_id: str
    amount: Decimal


@dataclass(frozen=True)
class ProcessPaymentCommand(OrderCommand[Receipt]):
    """Charge the customer this amount; without a card token, the card given with the order."""

    amount: Decimal
    card_token: str | None = field(default=None, repr=False)

    def validate(self) -> dict[str, str]:
        """The rules for amounts and card tokens."""
        return only_problems({"amount": amount_problem(self.amount), "card_token": card_token_problem(self.card_token)})


@command_handler(ProcessPaymentCommand)
@transactional(  # the refusal of a card is committed
    rollback_on=[AuthorizationError, ConflictError, ResourceNotFoundError, WrongAmountError]
)
@authorize(permissions=["order:pay"])
@idempotent()
@retry_on_failure(max_attempts=3, delay_seconds=0.2)
@invalidates("order:{order_id}")
class ProcessPaymentHandler(BaseCommandHandler[ProcessPaymentCommand, Receipt]):
    """Charge the customer for an order. The amount must be its total, and the card must not be declined: 400.

    Customers pay for their own, `order:manage` for any. An order is charged once, even if responses are lost; the
    payment provider is tried three times before the answer is 503. An order that is paid or cancelled: 409.
    """

    orders: OrderRepository
    owners: OrderOwners
    payments: Payments
    clock: Clock

    async def _handle(self, command: ProcessPaymentCommand) -> Receipt:
        # The order stays locked during the call of the provider, so that it cannot be cancelled while it is being paid.
        order = await self.orders.locked(command.order_id)
        await self.owners.require(order, self.metadata.user_id)
        order.require_unpaid(command.amount)
        try:
            payment_id = await self._charge(order, command.card_token or order.card_token)
        except PaymentDeclinedError as declined:
            order.decline(declined.message, self.clock.now())
            raise
        order.pay(payment_id, self.clock.now())
        return Receipt(order.id, payment_id, order.total)

    async def _charge(self, order: Order, card_token: str | None) -> str:
        try:
            return await self.payments.charge(Charge(charge_key(order.id), order.total, card_token))
        except (ConnectionError, TimeoutError) as error:
            raise PaymentsUnreachableError("The payment provider does not answer, try again in a moment.") from error
