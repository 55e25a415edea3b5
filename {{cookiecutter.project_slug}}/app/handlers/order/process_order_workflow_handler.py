"""The payment workflow of an order: a placed order is charged, and cancelled if the payment is declined.

Each step reacts to an event and sends a command, as the service itself and not as the customer. A repeated step finds
its work done.
"""

from app.core.cqrs import BaseEventHandler, ConflictError, event_handler, retry_on_failure
from app.domain.order_events import OrderPlaced, PaymentDeclined
from app.domain.payments import PaymentDeclinedError
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.process_payment_handler import ProcessPaymentCommand
from app.persistence.access import SYSTEM


@event_handler(OrderPlaced)
@retry_on_failure(max_attempts=3, delay_seconds=0.2)
class ChargePlacedOrderHandler(BaseEventHandler[OrderPlaced]):
    """Charge a customer who pays by card."""

    async def _handle(self, event: OrderPlaced) -> None:
        if event.payment_method != "card":
            return
        payment = ProcessPaymentCommand(event.order_id, event.total)
        payment.metadata.user_id = SYSTEM
        try:
            await self.bus.execute_command(payment)
        except PaymentDeclinedError:
            return  # the command has raised PaymentDeclined, which starts the next step
        except ConflictError:
            self.logger.info("charge_skipped", order_id=str(event.order_id))  # paid or cancelled in the meantime


@event_handler(PaymentDeclined)
@retry_on_failure(max_attempts=3, delay_seconds=0.2)
class CancelDeclinedOrderHandler(BaseEventHandler[PaymentDeclined]):
    """Cancel an order whose payment was declined, unless it is cooking already: then the staff decides.

    An order that was paid with another card in the meantime is not cancelled either.
    """

    async def _handle(self, event: PaymentDeclined) -> None:
        cancellation = CancelOrderCommand(event.order_id, "the payment was declined", unless_paid=True)
        cancellation.metadata.user_id = SYSTEM
        try:
            await self.bus.execute_command(cancellation)
        except ConflictError:
            self.logger.warning("declined_order_not_cancelled", order_id=str(event.order_id))
