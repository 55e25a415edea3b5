"""Take the payment of an invoice."""

from dataclasses import dataclass
from uuid import UUID

from app.core.cqrs import BaseCommandHandler, Clock, ICommand, authorize, command_handler, invalidates, transactional
from app.persistence.repositories.invoice_repository import InvoiceRepository


@dataclass(frozen=True)
class PayInvoiceCommand(ICommand[int]):
    """Take the payment of a customer's invoice; the answer is the version of the invoice."""

    customer_id: UUID
    invoice_id: UUID


@command_handler(PayInvoiceCommand)
@transactional()
@authorize(permissions=["invoice:pay"])
@invalidates("invoices:{customer_id}")
class PayInvoiceHandler(BaseCommandHandler[PayInvoiceCommand, int]):
    """Take the payment of an invoice, which must be open: 409."""

    invoices: InvoiceRepository
    clock: Clock

    async def _handle(self, command: PayInvoiceCommand) -> int:
        invoice = await self.invoices.locked(command.invoice_id)
        if invoice.customer_id != command.customer_id:
            self.not_found("This customer has no such invoice.")
        invoice.pay(self.clock.now().date())
        return invoice.version
