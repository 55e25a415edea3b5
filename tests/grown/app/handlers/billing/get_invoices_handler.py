"""List the invoices of a customer."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, authorize, cached_query, query_handler
from app.read_models.invoice_list import InvoiceView, invoices_of


@dataclass(frozen=True)
class GetInvoicesQuery(IQuery[list[InvoiceView]]):
    """List the invoices of a customer."""

    customer_id: UUID


@query_handler(GetInvoicesQuery)
@authorize(permissions=["invoice:read:own"], resource_id_field="customer_id")
@cached_query(ttl_seconds=60, tags=["invoices:{customer_id}"])
class GetInvoicesHandler(BaseQueryHandler[GetInvoicesQuery, list[InvoiceView]]):
    """List the invoices of a customer. Members read their own, `invoice:read` reads everybody's."""

    session: AsyncSession

    async def _handle(self, query: GetInvoicesQuery) -> list[InvoiceView]:
        return await invoices_of(self.session, query.customer_id)
