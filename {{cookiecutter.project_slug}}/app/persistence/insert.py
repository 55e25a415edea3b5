"""INSERT that does nothing where the row is there already, on both databases."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


async def insert_if_new(session: AsyncSession, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row, unless there is one with its key; whether it was inserted.

    Of two who insert the same at once, the second waits for the first to commit.
    """
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    statement = sqlite.insert(table) if on_sqlite else postgresql.insert(table)
    result = await session.execute(statement.values(values).on_conflict_do_nothing())
    return bool(result.rowcount)  # type: ignore[attr-defined]  # an INSERT's result has one
