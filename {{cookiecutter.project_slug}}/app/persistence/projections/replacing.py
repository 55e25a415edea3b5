"""Replaces the rows of live tables by those of their shadow tables, while writers are locked out.

Only rows that differ are written. After most rebuilds these are few, and to compare rows takes a fraction of the time
of writing them. After a change of the fold all rows differ, and writers wait until all are written.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Dialect,
    MetaData,
    Table,
    Text,
    and_,
    cast,
    delete,
    exists,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import ConflictError
from app.persistence.projections.projection import Projection

EXACT = frozenset({"BIGINT", "BOOLEAN", "DATE", "INTEGER", "SMALLINT", "TEXT", "TIMESTAMP", "UUID", "VARCHAR"})
"""Types of PostgreSQL whose equal values are the same. Of all others the texts are compared: JSON has no equality, and
JSONB and NUMERIC take 1 and 1.0 for equal."""


class Replacement(NamedTuple):
    """What the replacement of a read model took."""

    folded: int
    """How many events were folded into the rows that replace others."""
    deleted: int
    """How many rows were deleted: they are gone, or different."""
    inserted: int
    """How many rows were inserted: they are new, or different."""
    locked_seconds: float
    """How long writers of the read model had to wait at most."""


def shadow_of(table: Table, name: str, is_sqlite: bool) -> Table:
    """A table with the same columns and key, and nothing else. UNLOGGED: it need not survive a crash of the server."""
    columns = [Column(one.name, one.type, primary_key=one.primary_key, nullable=one.nullable) for one in table.columns]
    return Table(name, MetaData(), *columns, prefixes=[] if is_sqlite else ["UNLOGGED"])


async def lock_out_writers(session: AsyncSession, tables: Iterable[Table]) -> None:
    """Keep others from writing these tables until the transaction ends; they can still be read."""
    if session.get_bind().dialect.name == "postgresql":  # on SQLite every writing transaction locks out the others
        names = ", ".join(table.name for table in tables)
        await session.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


async def require_events(session: AsyncSession, projection: Projection, folded: int) -> None:
    """Make sure that no read model is emptied because no event was folded.

    Raises:
        ConflictError: if none was, and the read model has rows.
    """
    if not folded and await session.scalar(select(exists(select(projection.table)))):
        raise ConflictError(
            f"The event log has no events of {projection.aggregate_type} to rebuild {projection.name} from, so nothing "
            f"was changed: if its rows may go, delete those of {projection.table.name} first."
        )


async def replace_rows(session: AsyncSession, shadows: Mapping[Table, Table]) -> tuple[int, int]:
    """Make the rows of each table those of its shadow. Returns how many were deleted, and how many inserted."""
    connection, deleted, inserted = await session.connection(), 0, 0
    for table, shadow in shadows.items():
        has_key = and_(*(column == shadow.c[column.name] for column in table.primary_key))
        is_same = and_(*(_same(column, shadow.c[column.name], connection.dialect) for column in table.columns))
        has_same = exists(select(shadow).where(has_key, is_same).correlate(table))
        is_there = exists(select(table).where(has_key).correlate(shadow))
        lacking = select(shadow).where(~is_there)
        deleted += (await connection.execute(delete(table).where(~has_same))).rowcount
        inserted += (await connection.execute(insert(table).from_select(list(shadow.c.keys()), lacking))).rowcount
    return deleted, inserted


def _same(one: Column[object], other: Column[object], dialect: Dialect) -> ColumnElement[bool]:
    kind = one.type.compile(dialect).partition("(")[0].partition(" ")[0]
    if dialect.name == "sqlite" or kind in EXACT:
        return one.is_not_distinct_from(other)
    return cast(one, Text).is_not_distinct_from(cast(other, Text))
