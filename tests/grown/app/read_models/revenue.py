"""What was invoiced and paid for each month."""

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.billing_events import InvoiceEvent, InvoicePaid, InvoiceRaised, InvoiceVoided
from app.persistence.mappings.billing_mapping import invoice_months, revenue_per_month
from app.persistence.projections import Projection, Row, Shares
from app.read_models.user_views import View

NOTHING = Decimal("0.00")


class RevenueView(View):
    """What was invoiced and paid for one month."""

    month: str
    raised: Decimal
    paid: Decimal


def fold_month(row: Row, event: InvoiceEvent) -> Row:
    """The row as it is after an event."""
    match event:
        case InvoiceRaised():
            return {"month": f"{event.due:%Y-%m}", "amount": event.amount, "status": "open"}
        case InvoicePaid():
            return {**row, "status": "paid"}
        case InvoiceVoided():
            return {**row, "status": "void"}
    return row


def shares_in_month(row: Row) -> Shares:
    """What an invoice adds to its month."""
    raised = NOTHING if row["status"] == "void" else row["amount"]
    paid = row["amount"] if row["status"] == "paid" else NOTHING
    return {(revenue_per_month, row["month"]): {"raised": raised, "paid": paid}}


PROJECTION = Projection(
    "revenue", "Invoice", InvoiceEvent, invoice_months, fold_month, shares_in_month, (revenue_per_month,)
)
"""After the commit: all invoices of a month share a row."""


async def revenue_by_month(session: AsyncSession) -> list[RevenueView]:
    """All months, the first first."""
    rows = await session.execute(select(revenue_per_month).order_by(revenue_per_month.c.month))
    return [RevenueView(**row) for row in rows.mappings()]
