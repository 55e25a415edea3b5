import asyncio

import pytest

from app.persistence.engine.database import Database
from app.persistence.events.stored_event import StoredEvent
from app.persistence.projections.live import fold_committed, fold_raised
from tests.events import store
from tests.persistence.votes import TYPES, VOTES, counted, raised, stood, voted

pytestmark = pytest.mark.usefixtures("election")


async def fold(database: Database, *events: StoredEvent) -> None:
    """Do what live handlers do."""
    for event in events:
        async with database.writing() as session, session.begin():
            await fold_raised(session, VOTES, raised(event), TYPES)


async def test_events_become_rows_and_totals(database: Database) -> None:
    await fold(database, stood("ada"), stood("bob"), stood("eve", "Right"), voted("ada", 2, 3), voted("bob", 2, 4))
    assert await counted(database) == (
        [("ada", 2, "Left", 3), ("bob", 2, "Left", 4), ("eve", 1, "Right", 0)],
        [("Left", 7), ("Right", 0)],
    )


async def test_what_is_corrected_is_corrected_in_the_totals(database: Database) -> None:
    await fold(database, stood("ada"), stood("bob"), voted("bob", 2, 5), voted("ada", 2, 3), voted("ada", 3, -3))
    assert await counted(database) == ([("ada", 3, "Left", 0), ("bob", 2, "Left", 5)], [("Left", 5)])


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
