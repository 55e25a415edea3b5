"""INSERT that does nothing where the row is there already, on both databases."""

from functools import cache
from typing import Any

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


async def insert_if_new(session: AsyncSession, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row, unless there is one with its key; whether it was inserted.

    Of two who insert the same at once, the second waits for the first to commit.
    """
    result = await session.execute(if_new(table, session.get_bind().dialect.name), values)
    return bool(result.rowcount)  # type: ignore[attr-defined]  # an INSERT's result has one


@cache
def if_new(table: Table, dialect_name: str) -> Insert:
    """The statement, made once: that takes as long as to execute it."""
    statement = sqlite.insert(table) if dialect_name == "sqlite" else postgresql.insert(table)
    return statement.on_conflict_do_nothing()
