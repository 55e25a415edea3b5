"""Divides rows into batches, for transactions that hold locks only briefly."""

from collections.abc import AsyncIterator

from sqlalchemy import ColumnElement, Table, and_, select, tuple_

from app.persistence.engine.database import Database

BATCH = 500
"""Rows changed by one transaction: deliveries, which its lock excludes, do not wait long for so few."""


async def in_batches(
    database: Database, table: Table, wanted: ColumnElement[bool], *, newest_first: bool = False, at_once: bool = False
) -> AsyncIterator[ColumnElement[bool]]:
    """Conditions that divide the wanted rows of a table into batches, each for a transaction of its own.

    A batch is a range of the primary key, of which a row that is not wanted any more is left out. `at_once` makes all
    rows one batch, also if there are none.
    """
    if at_once:
        yield wanted
        return
    columns = table.primary_key.columns
    key = tuple_(*columns)
    some = select(*columns).order_by(*(column.desc() if newest_first else column for column in columns)).limit(BATCH)
    left = wanted
    while True:
        async with database.relaying_engine.connect() as connection:
            found = (await connection.execute(some.where(left))).all()
        if not found:
            return
        last = tuple_(*found[-1])
        yield and_(left, key >= last if newest_first else key <= last)
        left = and_(wanted, key < last if newest_first else key > last)
