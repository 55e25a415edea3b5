from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, select
from sqlalchemy.exc import StatementError

from app.persistence.column_types import Money
from app.persistence.engine.database import Database

prices = Table("prices", MetaData(), Column("id", Integer, primary_key=True), Column("price", Money))


@pytest.mark.parametrize("amount", [None, 0, 3, -2, Decimal(0), Decimal("0.10"), Decimal("-19.99")])
async def test_an_amount_comes_back_exactly(database: Database, amount: Decimal | int | None) -> None:
    async with database.writing_engine.connect() as connection:
        await connection.run_sync(prices.create)
        await connection.execute(prices.insert(), {"id": 1, "price": amount})
        found = await connection.scalar(select(prices.c.price))
        assert found == amount and isinstance(found, Decimal | None)
        assert await connection.scalar(select(func.coalesce(func.sum(prices.c.price), 0))) == (amount or 0)


@pytest.mark.parametrize(
    ("amount", "problem"), [(0.0, "a Decimal, or an int"), (Decimal("0.001"), "A part of a cent"), ("1", "A part")]
)
async def test_what_is_not_exact_is_refused(database: Database, amount: Any, problem: str) -> None:
    async with database.reading() as session:
        with pytest.raises(StatementError, match=problem):
            await session.execute(select(prices).where(prices.c.price == amount))


@pytest.mark.parametrize(
    "calculate", [lambda price: price * 2, lambda price: 2 * price, lambda price: price / 2, lambda price: price % 2]
)
def test_a_factor_is_not_taken_for_an_amount(calculate: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="calculate in Python"):
        calculate(prices.c.price)
