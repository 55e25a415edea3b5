"""Keep the revenue of each month."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, retry_on_failure, transactional
from app.core.cqrs.event_types import EventTypes
from app.domain.billing_events import InvoiceEvent
from app.persistence.projections import project_committed
from app.read_models.revenue import PROJECTION


@event_handler(InvoiceEvent)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class ProjectRevenueHandler(BaseEventHandler[InvoiceEvent]):
    """Keep the revenue. After the commit: all invoices of a month share a row."""

    session: AsyncSession
    types: EventTypes

    async def _handle(self, event: InvoiceEvent) -> None:
        await project_committed(self.session, PROJECTION, self.record.raised, self.types)
