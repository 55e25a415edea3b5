"""Raise an invoice."""

import datetime
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid4

from app.core.cqrs import (
    BaseCommandHandler,
    ICommand,
    OperationResult,
    authorize,
    command_handler,
    idempotent,
    invalidates,
    transactional,
)
from app.domain.billing import Invoice
from app.persistence.repositories.invoice_repository import InvoiceRepository


@dataclass(frozen=True)
class RaiseInvoiceCommand(ICommand[UUID]):
    """Raise an invoice; the answer is its id."""

    customer_id: UUID
    amount: Decimal
    due: datetime.date

    def validate(self) -> dict[str, str]:
        """Nobody pays nothing."""
        return {} if self.amount > 0 else {"amount": "must be more than 0"}


@command_handler(RaiseInvoiceCommand)
@transactional()
@authorize(permissions=["invoice:raise"])
@idempotent()
@invalidates("invoices:{customer_id}")
class RaiseInvoiceHandler(BaseCommandHandler[RaiseInvoiceCommand, UUID]):
    """Raise an invoice for a customer, who has to exist: 404."""

    invoices: InvoiceRepository

    async def _handle(self, command: RaiseInvoiceCommand) -> OperationResult[UUID]:
        await self.invoices.customer(command.customer_id)
        invoice = Invoice(id=uuid4(), customer_id=command.customer_id, amount=command.amount, due=command.due)
        await self.invoices.add(invoice)
        return self.created(invoice.id)
