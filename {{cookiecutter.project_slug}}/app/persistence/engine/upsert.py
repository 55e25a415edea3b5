"""INSERTs of rows that may already exist, for SQLite and PostgreSQL.

Statements are cached: building one takes as long as executing it.
"""

from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Insert, Table, and_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


async def insert_if_new(session: AsyncSession, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row, unless one with its primary or a unique key exists. Returns whether it was inserted.

    Of two concurrent inserts of the same key, the second waits for the first to commit.
    """
    result = await session.execute(if_new(table, session.get_bind().dialect.name), values)
    return bool(result.rowcount)  # type: ignore[attr-defined]  # an INSERT's result has one


@lru_cache(maxsize=200)
def if_new(table: Table, dialect_name: str) -> Insert:
    """An INSERT that leaves an existing row unchanged."""
    return _insert(table, dialect_name).on_conflict_do_nothing()


@lru_cache(maxsize=200)
def replacing(table: Table, dialect_name: str) -> Insert:
    """An INSERT that overwrites all values of an existing row."""
    statement = _insert(table, dialect_name)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={name: statement.excluded[name] for name in value_columns(table)}
    )


@lru_cache(maxsize=200)
def replacing_marked(column: Column[str], mark: str, dialect_name: str) -> Insert:
    """An INSERT that overwrites an existing row if that has the mark in this column, and the new row does not."""
    statement, table = _insert(column.table, dialect_name), column.table
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: statement.excluded[name] for name in value_columns(table)},
        where=and_(column == mark, statement.excluded[column.name] != mark),
    )


@lru_cache(maxsize=200)
def adding(table: Table, dialect_name: str) -> Insert:
    """An INSERT that adds the new values, which are numbers, to those of an existing row."""
    statement = _insert(table, dialect_name)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: table.c[name] + statement.excluded[name] for name in value_columns(table)},
    )


def _insert(table: Table, dialect_name: str) -> postgresql.Insert | sqlite.Insert:
    return sqlite.insert(table) if dialect_name == "sqlite" else postgresql.insert(table)


@lru_cache(maxsize=200)
def value_columns(table: Table) -> tuple[str, ...]:
    """The names of the columns that are not in the primary key."""
    return tuple(column.name for column in table.columns if not column.primary_key)
