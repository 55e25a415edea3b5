"""The tables of customers and invoices, and of what is read of them."""

from sqlalchemy import Column, Date, ForeignKey, Integer, Numeric, Table, Text, Uuid
from sqlalchemy.orm import registry

from app.domain.billing import Customer, Invoice
from app.persistence.tables import metadata

customers = Table(
    "customers",
    metadata,
    Column("id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

invoices = Table(
    "invoices",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", Uuid, ForeignKey("customers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("amount", Numeric(12, 2), nullable=False),
    Column("due", Date, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

invoice_list = Table(
    "invoice_list",
    metadata,
    Column("invoice_id", Uuid, primary_key=True),
    Column("customer_id", Uuid, nullable=False, index=True),
    Column("amount", Numeric(12, 2), nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

invoice_months = Table(
    "invoice_months",
    metadata,
    Column("invoice_id", Uuid, primary_key=True),
    Column("month", Text, nullable=False),
    Column("amount", Numeric(12, 2), nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

revenue_per_month = Table(
    "revenue_per_month",
    metadata,
    Column("month", Text, primary_key=True),
    Column("raised", Numeric(12, 2), nullable=False),
    Column("paid", Numeric(12, 2), nullable=False),
)


def map_aggregate(mapper_registry: registry) -> None:
    """Tell SQLAlchemy."""
    for aggregate, table in ((Customer, customers), (Invoice, invoices)):
        mapper_registry.map_imperatively(aggregate, table, version_id_col=table.c.version, version_id_generator=False)
