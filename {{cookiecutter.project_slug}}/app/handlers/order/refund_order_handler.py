"""Give back what was paid for a cancelled order."""

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure
from app.domain.order_events import OrderCancelled
from app.domain.payments import Payments, PaymentsUnreachableError, charge_key


@event_handler(OrderCancelled)
@retry_on_failure(max_attempts=3, delay_seconds=0.2)
class RefundOrderHandler(BaseEventHandler[OrderCancelled]):
    """Give back what was paid, once, also where the payment provider charged and did not say so in time."""

    payments: Payments

    async def _handle(self, event: OrderCancelled) -> None:
        try:
            await self.payments.refund(charge_key(event.order_id))
        except (ConnectionError, TimeoutError) as error:
            raise PaymentsUnreachableError("The payment provider does not answer, try again in a moment.") from error
