"""What happens to customers and invoices."""

import datetime
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from app.core.cqrs import DomainEvent


@dataclass(frozen=True, kw_only=True)
class CustomerOpened(DomainEvent):
    """A user became a customer."""

    customer_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True)
class InvoiceEvent(DomainEvent):
    """Something happened to an invoice."""

    invoice_id: UUID
    customer_id: UUID


@dataclass(frozen=True, kw_only=True)
class InvoiceRaised(InvoiceEvent):
    """A customer has to pay."""

    amount: Decimal
    due: datetime.date


@dataclass(frozen=True, kw_only=True)
class InvoicePaid(InvoiceEvent):
    """The customer has paid."""

    paid_on: datetime.date


@dataclass(frozen=True, kw_only=True)
class InvoiceVoided(InvoiceEvent):
    """The customer does not have to pay."""

    reason: str
