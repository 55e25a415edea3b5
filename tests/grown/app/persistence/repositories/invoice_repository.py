"""Invoices and their customers by id."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import ResourceNotFoundError
from app.domain.billing import Customer, Invoice


class InvoiceRepository:
    """The invoices, in the unit of work of the operation."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, added: Customer | Invoice) -> None:
        """Store a new customer or a new invoice."""
        self._session.add(added)
        await self._session.flush()

    async def customer(self, customer_id: UUID) -> Customer:
        """A customer.

        Raises:
            ResourceNotFoundError: there is none.
        """
        customer = await self._session.get(Customer, customer_id)
        if customer is None:
            raise ResourceNotFoundError("There is no such customer.")
        return customer

    async def locked(self, invoice_id: UUID) -> Invoice:
        """An invoice, to be changed by nobody else until the commit.

        Raises:
            ResourceNotFoundError: there is none.
        """
        invoice = await self._session.get(Invoice, invoice_id, with_for_update=True)
        if invoice is None:
            raise ResourceNotFoundError("There is no such invoice.")
        return invoice
