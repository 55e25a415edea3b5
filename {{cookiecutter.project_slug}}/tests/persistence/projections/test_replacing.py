"""The rows of live tables are replaced by those of shadow tables; what is the same is left alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import JSON, Column, Float, Integer, MetaData, String, Table, Text, Uuid

from app.persistence.column_types import Json, Money, UtcDateTime
from app.persistence.engine.database import Database
from app.persistence.projections import rebuilding
from app.persistence.projections.rebuilding import PREFIX, Rebuilding
from app.persistence.projections.replacing import replace_rows, shadow_of
from tests.events import store
from tests.persistence.votes import TYPES, VOTES, candidates, counted, parties, stood, voted

metadata = MetaData()
kinds = Table(
    "kinds",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("count", Integer),
    Column("content", Json),
    Column("plain_json", JSON),
    Column("amount", Money),
    Column("ratio", Float),
    Column("moment", UtcDateTime),
    Column("of", Uuid),
    Column("text", Text),
)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
FULL: dict[str, Any] = {
    "name": "one",
    "number": 1,
    "count": 7,
    "content": {"a": [1, None], "b": {}},
    "plain_json": {"a": 1},
    "amount": Decimal("12.99"),
    "ratio": 0.1,
    "moment": NOON,
    "of": UUID(int=1),
    "text": "as it was",
}
EMPTY = dict.fromkeys(FULL) | {"name": "one", "number": 1}


@pytest.fixture
async def shadow(database: Database) -> AsyncIterator[Table]:
    """A shadow of the table of all kinds of columns; both are empty."""
    shadow = shadow_of(kinds, f"{PREFIX}kinds", database.is_sqlite)
    async with database.writing_engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.run_sync(shadow.create)
    yield shadow
    async with database.writing_engine.begin() as connection:
        await connection.run_sync(shadow.drop)
        await connection.run_sync(metadata.drop_all)


async def replaced(
    database: Database, shadow: Table, live: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> tuple[int, int]:
    """Replace some rows by others, and make sure that these are there; how many were deleted and inserted."""
    async with database.writing() as session, session.begin():
        for table, rows in ((kinds, live), (shadow, wanted)):
            if rows:
                await session.execute(table.insert(), rows)
        written = await replace_rows(session, {kinds: shadow})
        found = await session.execute(kinds.select().order_by(kinds.c.name, kinds.c.number))
        there = [repr(dict(row)) for row in found.mappings()]
    assert there == [repr(row) for row in wanted]
    return written


@pytest.mark.parametrize("row", [FULL, EMPTY], ids=["full", "empty"])
async def test_a_row_that_is_the_same_is_left_alone(database: Database, shadow: Table, row: dict[str, Any]) -> None:
    assert await replaced(database, shadow, [row], [row]) == (0, 0)


@pytest.mark.parametrize(
    "other",
    [
        *({name: None} for name in FULL if name not in ("name", "number")),
        {"count": 8},
        {"content": {"a": [1, 2], "b": {}}},
        {"content": {"a": [1.0, None], "b": {}}},
        {"plain_json": {"a": 2}},
        {"amount": Decimal("12.98")},
        {"ratio": 0.1 + 2**-50},
        {"moment": NOON.replace(microsecond=1)},
        {"of": UUID(int=2)},
        {"text": "As it was"},
        {"text": ""},
    ],
    ids=str,
)
async def test_a_difference_in_one_column_is_enough(database: Database, shadow: Table, other: dict[str, Any]) -> None:
    assert await replaced(database, shadow, [FULL], [FULL | other]) == (1, 1)
    async with database.writing() as session, session.begin():
        await session.execute(kinds.delete())
        await session.execute(shadow.delete())
    assert await replaced(database, shadow, [FULL | other], [FULL]) == (1, 1)


async def test_rows_come_and_go_by_the_whole_key(database: Database, shadow: Table) -> None:
    live = [FULL | {"number": number} for number in (1, 2, 3)]
    wanted = [FULL | {"name": "a"}, FULL | {"number": 2}, FULL | {"number": 4}, FULL | {"number": 5}]
    assert await replaced(database, shadow, live, wanted) == (2, 3)


async def test_all_go_and_all_come(database: Database, shadow: Table) -> None:
    assert await replaced(database, shadow, [], [FULL]) == (0, 1)
    async with database.writing() as session, session.begin():
        await session.execute(shadow.delete())
    assert await replaced(database, shadow, [], []) == (1, 0)


@pytest.mark.usefixtures("election")
async def test_a_rebuild_writes_what_differs_and_tells_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "monotonic", partial(next, count(step=7)))
    await store(database, stood("ada"), voted("ada", 2, 7), stood("bob"), stood("eve", "Right"))
    took = [await Rebuilding(database, TYPES, VOTES, print).run() for _ in range(2)]
    right = await counted(database)
    async with database.writing() as session, session.begin():
        await session.execute(candidates.update().where(candidates.c.candidate_id == "bob").values(votes=1))
        await session.execute(parties.insert().values(party="Nobody", votes=1))
    took.append(await Rebuilding(database, TYPES, VOTES, print).run())

    assert await counted(database) == right
    assert [one[:3] for one in took] == [(4, 0, 5), (4, 0, 0), (4, 2, 1)]
    assert [one.locked_seconds for one in took] == [7, 7, 7]
