import asyncio
import itertools
import os
import signal
import sys
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import inspect, text

from app.core.config import Settings
from app.core.cqrs import ConflictError
from app.core.event_types import UnreadableEventError
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log
from app.persistence.events.stored_event import StoredEvent
from app.persistence.projections import rebuilding
from app.persistence.projections.lag import State, events_of, state_of
from app.persistence.projections.live import fold_raised
from app.persistence.projections.rebuilding import rebuild
from tests.databases import until_held_up
from tests.events import event_of, store
from tests.persistence.votes import TYPES, VOTES, candidates, counted, raised, rebuilt, stood, voted

pytestmark = pytest.mark.usefixtures("election")

KILLED = """
import asyncio, sys, time
from app.persistence.projections.lag import State, events_of, state_of
from app.persistence.engine.database import Database
from tests.databases import settings_for
from tests.persistence.votes import rebuilt

def stop(count):
    print(count, flush=True)
    time.sleep(60)

asyncio.run(rebuilt(Database(settings_for(sys.argv[1])), progress=stop))
"""


async def live(database: Database, *events: StoredEvent) -> None:
    """What a command does: the events into the log, and into the read model."""
    for event in events:
        async with database.writing() as session, session.begin():
            await session.execute(event_log.insert(), [event.row()])
            await fold_raised(session, VOTES, raised(event), TYPES)


def life_of(candidate: str, votes: int = 3) -> list[StoredEvent]:
    return [stood(candidate), *(voted(candidate, version) for version in range(2, votes + 2))]


async def tables_of(database: Database) -> list[str]:
    async with database.writing_engine.connect() as connection:
        return await connection.run_sync(lambda sync: inspect(sync).get_table_names())


async def spoil(database: Database) -> tuple[list[Any], list[Any]]:
    """Make the live tables wrong; what is in them then."""
    async with database.writing_engine.begin() as connection:
        await connection.execute(text("UPDATE candidates SET votes = 1000"))
        await connection.execute(text("INSERT INTO parties VALUES ('Nobody', 1)"))
    return await counted(database)


@pytest.mark.parametrize("batch", [1, 3, 1000])
async def test_a_rebuild_ends_as_it_was_live(database: Database, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(rebuilding, "BATCH", batch)
    moved = stood("ada", "Right", version=5)
    await live(database, *life_of("ada"), moved, *life_of("bob"), stood("eve", "Right"))
    await store(database, event_of(None, event_type="Voted"), event_of("x", 1, aggregate_type="Else"))
    right = await counted(database)
    await spoil(database)
    told: list[int] = []

    assert await rebuilt(database, progress=told.append) == sum(told) == await events_of(database, VOTES) == 10

    assert await counted(database) == right
    assert [name for name in await tables_of(database) if name.startswith(rebuilding.PREFIX)] == []


async def test_a_log_without_its_events_does_not_empty_it(database: Database) -> None:
    await live(database, *life_of("ada"))
    before = await counted(database)
    misnamed = replace(VOTES, aggregate_type="Else")
    with pytest.raises(ConflictError, match="no events of Else .* delete those of candidates first"):
        await rebuild(database, TYPES, misnamed)
    assert await counted(database) == before
    async with database.writing() as session, session.begin():
        await session.execute(candidates.delete())
    assert await rebuild(database, TYPES, misnamed) == 0
    assert await counted(database) == ([], [])


async def test_a_pool_of_one_connection_is_enough(settings: Settings, database: Database) -> None:
    await live(database, *life_of("ada"))
    right = await counted(database)
    await spoil(database)
    one = {"database_pool_size": 1, "database_pool_timeout_seconds": 5.0}
    narrow = Database(settings.model_copy(update=one))
    await rebuilt(narrow)
    await narrow.close()
    assert await counted(database) == right


async def test_what_was_never_live_is_made_of_the_log(database: Database) -> None:
    await store(database, *life_of("ada"))
    assert await state_of(database, VOTES) == State("votes", rows=0, behind=4)
    await rebuilt(database)
    assert await counted(database) == ([("ada", 4, "Left", 3)], [("Left", 3)])
    await store(database, voted("ada", 5), stood("bob"))
    assert await state_of(database, VOTES) == State("votes", rows=1, behind=2)


async def test_writers_go_on_and_nothing_counts_twice_or_is_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "BATCH", 10)
    await live(database, *life_of("a candidate"), *life_of("z candidate"))
    names = ("b writer", "m writer", "y writer")
    was_rebuilt = asyncio.Event()

    async def write(name: str) -> None:
        life = life_of(name, votes=50)
        await live(database, *life[:25])
        await was_rebuilt.wait()
        await live(database, *life[25:])

    writing = asyncio.gather(*map(write, names))
    rebuilds = 0
    while not writing.done():
        await rebuilt(database)
        rebuilds += 1
        was_rebuilt.set()
    await writing

    after = await counted(database)
    assert rebuilds > 1, "They wrote while it was rebuilt."
    assert after[1] == [("Left", 50 * len(names) + 2 * 3)]
    assert await state_of(database, VOTES) == State("votes", rows=5, behind=0)
    await rebuilt(database)
    assert await counted(database) == after


async def test_what_has_no_beginning_does_not_stand_in_the_way_of_what_happens_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def somebody_stands(_: object) -> None:
        await live(database, stood("zoe"))

    monkeypatch.setattr(rebuilding, "BATCH", 2)
    monkeypatch.setattr(rebuilding.Rebuilding, "catch_up", somebody_stands)
    await store(database, voted("ada", 5), voted("bob", 5))
    await rebuilt(database)
    assert await counted(database) == ([("zoe", 1, "Left", 0)], [("Left", 0)])


async def test_events_that_nobody_waits_to_store_do_not_keep_it_from_ending(database: Database) -> None:
    await store(database, stood("ada"))
    done = asyncio.Event()

    async def write(number: int) -> None:
        candidates = (stood(f"candidate {number}.{count}") for count in itertools.count())
        while not done.is_set():
            await store(database, *itertools.islice(candidates, 5))

    writing = asyncio.gather(*map(write, range(6)))
    async with asyncio.timeout(20):
        await rebuilt(database)
    done.set()
    await writing
    await rebuilt(database)
    assert (await state_of(database, VOTES)).behind == 0


async def test_what_is_not_committed_yet_is_waited_for(settings: Settings, database: Database) -> None:
    await live(database, *life_of("ada"))
    late = stood("eve"), voted("eve", 2, 10)
    async with database.writing() as session, session.begin():
        for event in late:
            await session.execute(event_log.insert(), [event.row()])
            await fold_raised(session, VOTES, raised(event), TYPES)
        rebuilding_now = asyncio.create_task(rebuilt(database))
        await until_held_up(settings)
        assert not rebuilding_now.done()
    await rebuilding_now
    assert await counted(database) == ([("ada", 4, "Left", 3), ("eve", 2, "Left", 10)], [("Left", 13)])


async def test_an_event_that_the_rebuild_had_is_passed_over_when_it_is_delivered(database: Database) -> None:
    events = life_of("ada")
    await store(database, *events)
    await rebuilt(database)
    async with database.writing() as session, session.begin():
        await fold_raised(session, VOTES, raised(events[2]), TYPES)
    assert await counted(database) == ([("ada", 4, "Left", 3)], [("Left", 3)])


async def test_an_event_that_cannot_be_read_changes_nothing(database: Database) -> None:
    await live(database, *life_of("ada"))
    await store(database, event_of("bob", 1, event_type="Forgotten"))
    wrong = await spoil(database)
    with pytest.raises(UnreadableEventError, match="No class reads the event Forgotten"):
        await rebuilt(database)
    assert await counted(database) == wrong
    assert [name for name in await tables_of(database) if name.startswith(rebuilding.PREFIX)] == []


async def test_a_rebuild_that_is_killed_leaves_the_live_tables_as_they_were(database: Database) -> None:
    await live(database, *life_of("ada"))
    right, wrong = await counted(database), await spoil(database)
    url = database.writing_engine.url.render_as_string(hide_password=False)
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, url, env=path, stdout=asyncio.subprocess.PIPE
    )
    assert killed.stdout is not None
    assert await killed.stdout.readline() == b"4\n"

    with pytest.raises(ConflictError, match="votes is already being rebuilt"):
        await rebuilt(database)
    killed.send_signal(signal.SIGKILL)
    await killed.wait()

    assert await counted(database) == wrong
    assert rebuilding.PREFIX + "candidates" in await tables_of(database)
    async with asyncio.timeout(20):
        await rebuilt_when_free(database)
    assert await counted(database) == right


async def rebuilt_when_free(database: Database) -> None:
    """The server may take a moment to notice that somebody is gone."""
    while True:
        try:
            await rebuilt(database)
        except ConflictError:
            await asyncio.sleep(0.01)
        else:
            return
