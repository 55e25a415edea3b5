"""What is in the database, for tests."""

from typing import Any

from sqlalchemy import Row, Table

from app.core.container import RunningService
from app.persistence.database import Database


async def rows_of(service: RunningService, table: Table) -> list[Row[Any]]:
    """All rows of a table."""
    database = await service.container.get(Database)
    async with database.reading() as session:
        return list((await session.execute(table.select())).all())
