"""The invoices of a customer."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.billing_events import InvoiceEvent, InvoicePaid, InvoiceRaised, InvoiceVoided
from app.persistence.mappings.billing_mapping import invoice_list
from app.persistence.projections import Projection, Row
from app.read_models.user_views import View


class InvoiceView(View):
    """An invoice, as its customer sees it."""

    invoice_id: UUID
    amount: Decimal
    status: str


def fold_invoice(row: Row, event: InvoiceEvent) -> Row:
    """The row as it is after an event."""
    match event:
        case InvoiceRaised():
            return {"customer_id": event.customer_id, "amount": event.amount, "status": "open"}
        case InvoicePaid():
            return {**row, "status": "paid"}
        case InvoiceVoided():
            return {**row, "status": "void"}
    return row


PROJECTION = Projection("invoice_list", "Invoice", InvoiceEvent, invoice_list, fold_invoice, in_transaction=True)
"""In the transaction: whoever raises an invoice looks at once."""


async def invoices_of(session: AsyncSession, customer_id: UUID) -> list[InvoiceView]:
    """The invoices of a customer."""
    columns = (invoice_list.c[name] for name in InvoiceView.model_fields)
    wanted = select(*columns).where(invoice_list.c.customer_id == customer_id).order_by(invoice_list.c.invoice_id)
    return [InvoiceView(**row) for row in (await session.execute(wanted)).mappings()]
