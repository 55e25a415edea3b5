"""Fill every table of a database that is empty, and count rows: `python drill_rows.py fill|count DATABASE_URL`.

A drill runs it with the Python of the service, whose tables it reads from the database itself.
"""

import asyncio
import json
import sys
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

OF_THE_MIGRATIONS = ("alembic_version", "applied_revisions")


def tables_of(connection: sa.Connection) -> list[sa.Table]:
    """Each after those that it refers to."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name not in OF_THE_MIGRATIONS]


def value_for(column: sa.Column[Any], connection: sa.Connection) -> Any:
    """Something that the column takes; what it refers to, if it does."""
    for key in column.foreign_keys:
        return connection.scalar(sa.select(key.column).limit(1))
    if isinstance(column.type, sa.CHAR | sa.Uuid):
        return uuid4().hex if isinstance(column.type, sa.CHAR) else uuid4()
    if isinstance(column.type, sa.DateTime):
        return datetime.now(UTC) if getattr(column.type, "timezone", False) else datetime.now(UTC).replace(tzinfo=None)
    kinds = {
        sa.Date: date(2026, 1, 1),
        sa.Boolean: False,
        sa.JSON: {},
        sa.LargeBinary: b"x",
        sa.Integer: 1,
        sa.Numeric: 1,
    }
    return next((value for kind, value in kinds.items() if isinstance(column.type, kind)), column.name[:8])


def fill(connection: sa.Connection) -> None:
    """Put a row into each table that has none."""
    for table in tables_of(connection):
        if connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0:
            row = {column.name: value_for(column, connection) for column in table.columns if column.computed is None}
            connection.execute(table.insert().values(row))


def count(connection: sa.Connection) -> dict[str, int]:
    """How many rows each table has."""
    found = {one.name: connection.scalar(sa.select(sa.func.count()).select_from(one)) for one in tables_of(connection)}
    return {name: number or 0 for name, number in found.items()}


async def main(word: str, url: str) -> None:
    """Do what the word says, and print the counts."""
    engine = create_async_engine(
        url.replace("sqlite://", "sqlite+aiosqlite://").replace("postgresql://", "postgresql+asyncpg://")
    )
    async with engine.begin() as connection:
        if word == "fill":
            await connection.run_sync(fill)
        sys.stdout.write(json.dumps(await connection.run_sync(count)))
    await engine.dispose()


asyncio.run(main(*sys.argv[1:]))
