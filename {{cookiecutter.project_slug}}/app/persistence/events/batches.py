"""Divides rows into batches, for transactions that hold locks only briefly."""

from collections.abc import AsyncIterator

from sqlalchemy import ColumnElement, Table, and_, select, tuple_

from app.persistence.engine.database import Database

FOUND_AT_ONCE = 50_000
"""Rows that are looked for at once, which may read the whole table."""
BATCH = 500
"""Rows changed by one transaction: other writers, and deliveries that a lock excludes, do not wait long for so few."""


async def in_batches(
    database: Database, table: Table, wanted: ColumnElement[bool], *, newest_first: bool = False, at_once: bool = False
) -> AsyncIterator[ColumnElement[bool]]:
    """Conditions that divide the wanted rows of a table into batches, each for a transaction of its own.

    A batch lists the values of each column of the primary key: PostgreSQL uses no index for a list of pairs, and a
    range of keys may be the whole table where few rows are wanted. So it may hold some wanted rows of a later one, too.
    A row that is not wanted any more is left out. `at_once` makes all rows one batch, also if there are none.
    """
    if at_once:
        yield wanted
        return
    key, left = tuple_(*table.primary_key), wanted
    while True:
        # Because of the LIMIT alone, PostgreSQL would look up row after row by an index, which is slow if few are
        # wanted: all are found first, by a plan for the whole table.
        every = select(*table.primary_key).where(left).cte("wanted").prefix_with("MATERIALIZED")
        order = [column.desc() if newest_first else column for column in every.columns]
        async with database.relaying_engine.connect() as connection:
            found = (await connection.execute(select(every).order_by(*order).limit(FOUND_AT_ONCE))).all()
        for start in range(0, len(found), BATCH):
            values = zip(*found[start : start + BATCH], strict=True)
            yield and_(wanted, *(column.in_(of) for column, of in zip(table.primary_key, values, strict=True)))
        if len(found) < FOUND_AT_ONCE:
            return
        last = tuple_(*found[-1])
        left = and_(wanted, key < last if newest_first else key > last)
