"""Make a customer of everybody who registers."""

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.domain.billing import Customer
from app.domain.user_events import UserCreated
from app.persistence.repositories.invoice_repository import InvoiceRepository


@event_handler(UserCreated)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class OpenCustomerHandler(BaseEventHandler[UserCreated]):
    """Whoever registers can get invoices, a moment later."""

    invoices: InvoiceRepository

    async def _handle(self, event: UserCreated) -> None:
        await self.invoices.add(Customer(id=event.user_id, name=event.full_name))
