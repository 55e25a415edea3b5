"""`app projections rebuild` as a process that can be killed, and what is in the tables of read models."""

import re
import signal
import sys
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, Table, func, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.projections import Projection
from app.persistence.projections.rebuilding import PREFIX
from tests.chaos.callers import environment_of
from tests.chaos.commands import operator
from tests.chaos.deliveries import looking
from tests.chaos.oracle import require, until
from tests.chaos.programs import Program
from tests.chaos.stage import Database, Stage

Rows = dict[Table, Sequence[Row[Any]]]

BEGUN_SECONDS = 120.0
DIES_SECONDS = 10.0
MADE = re.compile(r"rebuilt from (\d+) events in ([\d.]+) s")


async def events_a_second(stage: Stage, database: Database, projection: Projection) -> float:
    """How fast a read model was made anew, as the command says."""
    said = await operator(stage, database, "projections", "rebuild", projection.name)
    found = MADE.search(said)
    assert found is not None, said
    return int(found[1]) / float(found[2])


async def kill_in_the_middle(stage: Stage, database: Database, projection: Projection, aggregates: int) -> int:
    """Begin to make a read model of so many aggregates anew, and kill -9; how many were made by then.

    Raises:
        Violation: it never came so far, or was done before it could be killed.
    """
    log = stage.folder / f"rebuild-{uuid4().hex}.log"
    words = [sys.executable, "-m", "app", "projections", "rebuild", projection.name]
    program = Program(words, log, environment_of(database.of_process()), stage.folder)
    await program.start()
    async with looking(database) as connection:

        async def many() -> int:
            require(program.running, f"The rebuild ended by itself: {program.last_words()}")
            made = await _count(connection, f"{PREFIX}{projection.table.name}")
            return made if made > aggregates / 3 else 0

        try:
            made = await until(many, "A third of a read model is to be made anew", BEGUN_SECONDS)
        finally:
            await program.end(signal.SIGKILL, DIES_SECONDS)
    require(bool(await shadows_of(database)), "The rebuild was killed too late to tell anything.")
    return made


async def _count(connection: AsyncConnection, name: str) -> int:
    """How many rows a table has; 0 if there is none."""
    if await connection.scalar(select(func.to_regclass(name))) is None:
        return 0
    return await connection.scalar(select(func.count()).select_from(table(name))) or 0


async def rows_of(database: Database, projections: Iterable[Projection]) -> Rows:
    """Everything in the tables of read models, by their keys."""
    tables = [table for projection in projections for table in projection.tables]
    async with looking(database) as connection:
        return {one: (await connection.execute(select(one).order_by(*one.primary_key))).all() for one in tables}


async def shadows_of(database: Database) -> list[str]:
    """The tables that a rebuild has made for itself."""
    async with looking(database) as connection:
        names = await connection.run_sync(lambda connected: inspect(connected).get_table_names())
    return [name for name in names if name.startswith(PREFIX)]


def same(rows: Rows, before: Rows, when: str) -> None:
    """Make sure that tables are as they were.

    Raises:
        Violation: one is not.
    """
    for one, expected in before.items():
        differing = sum(row != other for row, other in zip_longest(rows[one], expected))
        require(not differing, f"{differing} of {len(expected)} rows of {one.name} differ {when}.")
