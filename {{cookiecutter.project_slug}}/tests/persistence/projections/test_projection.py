import asyncio
from dataclasses import replace
from itertools import count, repeat

import pytest

from app.persistence.engine.database import Database
from app.persistence.events.stored_event import StoredEvent
from app.persistence.projections import Projection, Row, Shares
from app.persistence.projections.folding import fold_all
from app.persistence.projections.live import fold_committed, fold_raised
from tests.events import store
from tests.persistence.votes import TYPES, VOTES, counted, parties, raised, stood, voted

pytestmark = pytest.mark.usefixtures("election")


async def fold(database: Database, *events: StoredEvent, projection: Projection = VOTES) -> None:
    """Do what live handlers do."""
    for event in events:
        async with database.writing() as session, session.begin():
            await fold_raised(session, projection, raised(event), TYPES)


async def test_events_become_rows_and_totals(database: Database) -> None:
    await fold(database, stood("ada"), stood("bob"), stood("eve", "Right"), voted("ada", 2, 3), voted("bob", 2, 4))
    assert await counted(database) == (
        [("ada", 2, "Left", 3), ("bob", 2, "Left", 4), ("eve", 1, "Right", 0)],
        [("Left", 7), ("Right", 0)],
    )


async def test_what_is_corrected_is_corrected_in_the_totals(database: Database) -> None:
    await fold(database, stood("ada"), stood("bob"), voted("bob", 2, 5), voted("ada", 2, 3), voted("ada", 3, -3))
    assert await counted(database) == ([("ada", 3, "Left", 0), ("bob", 2, "Left", 5)], [("Left", 5)])


async def test_what_moves_to_another_total_is_withdrawn_from_the_first(database: Database) -> None:
    moves = stood("ada"), stood("bob"), voted("ada", 2, 3), stood("ada", "Right", 3), voted("ada", 4)
    await fold(database, *moves)
    assert await counted(database) == (
        [("ada", 4, "Right", 4), ("bob", 1, "Left", 0)],
        [("Left", 0), ("Right", 4)],
    )


async def test_candidates_who_change_sides_at_once_wait_for_each_other(database: Database) -> None:
    async def move(name: str, *sides: str) -> None:
        await fold(database, stood(name), voted(name, 2), *map(stood, repeat(name), sides, count(3)))

    sides = ["Left", "Right"] * 5
    await asyncio.gather(*(move(f"candidate {number}", *sides[number % 2 :]) for number in range(6)))
    assert (await counted(database))[1] == [("Left", 0), ("Right", 6)]


async def test_a_column_is_zero_where_shares_leave_it_out(database: Database) -> None:
    def sparse_shares(row: Row) -> Shares:
        return {(parties, row["party"]): {"votes": row["votes"]} if row["votes"] else {}}

    sparse = replace(VOTES, shares=sparse_shares)
    await fold(database, stood("ada"), voted("ada", 2, 3), voted("ada", 3, -3), projection=sparse)
    assert (await counted(database))[1] == [("Left", 0)]
    async with database.writing() as session, session.begin():
        many = [raised(event) for event in (stood("bob", "Center"), stood("eve", "Right"), voted("eve", 2, 7))]
        await fold_all(session, sparse, many, {table: table for table in sparse.tables})
    assert (await counted(database))[1] == [("Center", 0), ("Left", 0), ("Right", 7)]


async def test_an_event_that_comes_again_or_late_changes_nothing(database: Database) -> None:
    events = [stood("ada"), voted("ada", 2, 3), voted("ada", 3, 4)]
    await fold(database, *events)
    once = await counted(database)
    await fold(database, *events, events[1], events[0])
    assert await counted(database) == once == ([("ada", 3, "Left", 7)], [("Left", 7)])


async def test_an_aggregate_that_is_older_than_the_read_model_waits_for_a_rebuild(database: Database) -> None:
    await fold(database, voted("ada", 5, 3), voted("ada", 6, 3))
    assert await counted(database) == ([], [])


async def test_many_at_once_lose_nothing(database: Database) -> None:
    names = [f"candidate {number}" for number in range(10)]

    async def run(name: str) -> None:
        await fold(database, stood(name), *(voted(name, version) for version in range(2, 6)))

    await asyncio.gather(*map(run, names))
    assert (await counted(database))[1] == [("Left", 40)]


async def late(database: Database, event: StoredEvent) -> None:
    """Do what handlers do after the commit."""
    async with database.writing() as session, session.begin():
        await fold_committed(session, VOTES, raised(event), TYPES)


async def test_after_the_commit_events_may_come_in_any_order(database: Database) -> None:
    events = [stood("ada"), voted("ada", 2, 3), voted("ada", 3, 4)]
    await store(database, *events)
    await late(database, events[2])
    assert await counted(database) == ([("ada", 3, "Left", 7)], [("Left", 7)])
    await late(database, events[0])
    await late(database, events[1])
    assert await counted(database) == ([("ada", 3, "Left", 7)], [("Left", 7)])


async def test_workers_who_have_events_of_one_aggregate_at_once_count_each_once(database: Database) -> None:
    names = [f"candidate {number}" for number in range(5)]
    events = [event for name in names for event in (stood(name), *(voted(name, version) for version in range(2, 6)))]
    await store(database, *events)
    await asyncio.gather(*(late(database, event) for event in reversed(events)))
    assert (await counted(database))[1] == [("Left", 20)]
