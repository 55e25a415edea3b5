"""Give back what was paid for a cancelled order."""

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure
from app.domain.order_events import OrderCancelled
from app.domain.payments import Payments, PaymentsUnreachableError


@event_handler(OrderCancelled)
@retry_on_failure(max_attempts=3, delay_seconds=0.2)
class RefundOrderHandler(BaseEventHandler[OrderCancelled]):
    """Give back what was paid; the payment provider gives each payment back once."""

    payments: Payments

    async def _handle(self, event: OrderCancelled) -> None:
        if event.payment_id is None:
            return
        try:
            await self.payments.refund(event.payment_id)
        except (ConnectionError, TimeoutError) as error:
            raise PaymentsUnreachableError("The payment provider does not answer, try again in a moment.") from error
