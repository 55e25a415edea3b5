"""INSERT that changes the row where there is one already, on both databases."""

from functools import lru_cache

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

# Statements are made once: that takes as long as to execute them.


@lru_cache(maxsize=200)
def replacing(table: Table, dialect_name: str) -> Insert:
    """The row that is there gets all the new values."""
    statement = _insert(table, dialect_name)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: statement.excluded[name] for name in _values(table)},
    )


@lru_cache(maxsize=200)
def adding(table: Table, dialect_name: str) -> Insert:
    """The new values, which are numbers, are added to those of the row that is there."""
    statement = _insert(table, dialect_name)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: table.c[name] + statement.excluded[name] for name in _values(table)},
    )


def _insert(table: Table, dialect_name: str) -> postgresql.Insert | sqlite.Insert:
    return sqlite.insert(table) if dialect_name == "sqlite" else postgresql.insert(table)


def _values(table: Table) -> list[str]:
    return [column.name for column in table.columns if not column.primary_key]
