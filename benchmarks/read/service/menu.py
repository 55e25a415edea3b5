"""The menu: its table, how it is read, and as what it is answered."""

from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Boolean, Column, Integer, MetaData, Numeric, Table, Text, Uuid, select
from sqlalchemy.ext.asyncio import AsyncSession

metadata = MetaData()
pizzas = Table(
    "benchmark_pizzas",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("price", Numeric(10, 2), nullable=False),
    Column("preparation_minutes", Integer, nullable=False),
    Column("is_available", Boolean, nullable=False),
)


class PizzaView(BaseModel):
    """A pizza on the menu."""

    id: UUID
    name: str
    category: str
    description: str
    price: Decimal
    preparation_minutes: int
    is_available: bool


async def read_menu(session: AsyncSession) -> list[PizzaView]:
    """What can be ordered now."""
    rows = await session.execute(select(pizzas).where(pizzas.c.is_available).order_by(pizzas.c.name))
    return [PizzaView.model_validate(row._mapping) for row in rows]
