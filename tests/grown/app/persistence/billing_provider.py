"""What billing needs of persistence, for the container."""

from dishka import Provider, provide

from app.core.scopes import Lifetime
from app.persistence.repositories.invoice_repository import InvoiceRepository


class BillingPersistenceProvider(Provider):
    """The repository, for each attempt of an operation."""

    invoices = provide(InvoiceRepository, scope=Lifetime.OPERATION)
