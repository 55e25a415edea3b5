"""Customers and their invoices."""

import datetime
from decimal import Decimal
from uuid import UUID

from app.core.cqrs import AggregateRoot, ConflictError
from app.domain.billing_events import CustomerOpened, InvoicePaid, InvoiceRaised, InvoiceVoided


class Customer(AggregateRoot):
    """Who gets invoices; the id is the user's."""

    id: UUID
    name: str

    def __init__(self, *, id: UUID, name: str) -> None:
        self.id = id
        self.name = name
        self.raise_event(CustomerOpened(customer_id=id, name=name))


class Invoice(AggregateRoot):
    """What a customer has to pay."""

    id: UUID
    customer_id: UUID
    amount: Decimal
    due: datetime.date
    status: str

    def __init__(self, *, id: UUID, customer_id: UUID, amount: Decimal, due: datetime.date) -> None:
        self.id = id
        self.customer_id = customer_id
        self.amount = amount
        self.due = due
        self.status = "open"
        self.raise_event(InvoiceRaised(invoice_id=id, customer_id=customer_id, amount=amount, due=due))

    def pay(self, on: datetime.date) -> None:
        """Take the payment.

        Raises:
            ConflictError: it is not open.
        """
        self._require_open()
        self.status = "paid"
        self.raise_event(InvoicePaid(invoice_id=self.id, customer_id=self.customer_id, paid_on=on))

    def void(self, reason: str) -> None:
        """Take it back.

        Raises:
            ConflictError: it is not open.
        """
        self._require_open()
        self.status = "void"
        self.raise_event(InvoiceVoided(invoice_id=self.id, customer_id=self.customer_id, reason=reason))

    def _require_open(self) -> None:
        if self.status != "open":
            raise ConflictError(f"This invoice is {self.status} already.")
