"""Refund the payment of a cancelled order."""

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure
from app.domain.order_events import OrderCancelled
from app.domain.payments import Payments, PaymentsUnreachableError, charge_key


@event_handler(OrderCancelled)
@retry_on_failure(max_attempts=3, delay_seconds=0.2)
class RefundOrderHandler(BaseEventHandler[OrderCancelled]):
    """Refund the payment, once, including a charge whose response from the payment provider came too late."""

    payments: Payments

    async def _handle(self, event: OrderCancelled) -> None:
        try:
            await self.payments.refund(charge_key(event.order_id))
        except (ConnectionError, TimeoutError) as error:
            raise PaymentsUnreachableError("The payment provider does not answer, try again in a moment.") from error
