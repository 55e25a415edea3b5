"""Keep the list of invoices."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler
from app.domain.billing_events import InvoiceEvent
from app.persistence.projections import project
from app.read_models.invoice_list import PROJECTION


@event_handler(InvoiceEvent, in_transaction=True)
class ProjectInvoiceListHandler(BaseEventHandler[InvoiceEvent]):
    """Keep the list. In the transaction: whoever raises an invoice looks at once."""

    session: AsyncSession

    async def _handle(self, event: InvoiceEvent) -> None:
        await project(self.session, PROJECTION, self.record.raised)
