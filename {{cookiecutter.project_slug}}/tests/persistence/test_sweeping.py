"""What has expired is deleted, and nothing else."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, event, insert, select, update

from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import TransientError
from app.core.cqrs.testing import FixedClock
from app.persistence import sweeping
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, inbox, reactions, received_events
from app.persistence.events import batches
from app.persistence.events.outbox_statements import SKIPPED
from app.persistence.events.reaction import Outcome
from app.persistence.sweeping import Sweeper
from app.persistence.tables import idempotency_keys, login_sessions, refresh_tokens
from tests.core.cqrs.support import within_patience
from tests.events import HANDLER, OTHERS, claim, event_of, outbox_of, store
from tests.rows import rows_of
from tests.users import People

NOW = FixedClock().now()
SECOND = timedelta(seconds=1)


@pytest.fixture
async def database(service: RunningService) -> Database:
    return await service.container.get(Database)


@pytest.fixture
def sweeper(service: RunningService, database: Database) -> Sweeper:
    return Sweeper(database, service.settings, FixedClock())


@pytest.fixture
async def user_id(people: People) -> UUID:
    return (await people.member()).id


async def add_key(database: Database, claimed_at: datetime) -> bytes:
    digest = uuid4().bytes
    async with database.writing_engine.begin() as connection:
        row = {"digest": digest, "fingerprint": b"", "claimed_at": claimed_at}
        await connection.execute(insert(idempotency_keys).values(row))
    return digest


async def add_login(database: Database, user_id: UUID, expires_at: datetime, revoked_at: datetime | None) -> UUID:
    """A login with a refresh token that was used and one that was not."""
    session = {"id": uuid4(), "user_id": user_id, "created_at": NOW, "expires_at": expires_at, "revoked_at": revoked_at}
    async with database.writing_engine.begin() as connection:
        await connection.execute(insert(login_sessions).values(session))
        for used_at in (NOW, None):
            token = {"digest": uuid4().bytes, "session_id": session["id"], "issued_at": NOW, "used_at": used_at}
            await connection.execute(insert(refresh_tokens).values(token))
    return session["id"]  # type: ignore[return-value]


async def keys_left(service: RunningService) -> set[bytes]:
    return {row.digest for row in await rows_of(service, idempotency_keys)}


async def test_keys_that_are_no_good_any_more_are_deleted(
    service: RunningService, sweeper: Sweeper, database: Database
) -> None:
    lifetime = timedelta(seconds=service.settings.idempotency_key_seconds)
    for age in (lifetime, lifetime + SECOND, 10 * lifetime):
        await add_key(database, NOW - age)
    good = {await add_key(database, NOW - age) for age in (timedelta(), lifetime - SECOND)}
    assert await sweeper.sweep() == 3
    assert await keys_left(service) == good
    assert await sweeper.sweep() == 0


async def test_logins_go_with_their_tokens_when_they_are_over(
    service: RunningService, sweeper: Sweeper, database: Database, user_id: UUID
) -> None:
    expired = await add_login(database, user_id, NOW, None)
    revoked = await add_login(database, user_id, NOW + SECOND, NOW)
    running = await add_login(database, user_id, NOW + SECOND, None)
    assert {row.id for row in await rows_of(service, login_sessions)} == {expired, revoked, running}
    assert await sweeper.sweep() == 2
    assert [row.id for row in await rows_of(service, login_sessions)] == [running]
    tokens = await rows_of(service, refresh_tokens)
    assert [token.session_id for token in tokens] == [running, running]
    assert {token.used_at for token in tokens} == {NOW, None}


@pytest.mark.parametrize(("found_at_once", "counts"), [(100, [3, 3, 1]), (5, [3, 2, 2])])
async def test_it_goes_on_until_all_is_swept_a_few_at_a_time(
    service: RunningService,
    sweeper: Sweeper,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    found_at_once: int,
    counts: list[int],
) -> None:
    monkeypatch.setattr(batches, "FOUND_AT_ONCE", found_at_once)
    monkeypatch.setattr(batches, "BATCH", 3)
    for _ in range(7):
        await add_key(database, NOW - timedelta(days=100))
    deleted: list[int] = []

    def see(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE FROM idempotency_keys"):
            deleted.append(cursor.rowcount)

    event.listen(database.writing_engine.sync_engine, "after_cursor_execute", see)
    assert await sweeper.sweep() == 7
    assert await keys_left(service) == set()
    assert deleted == counts


async def test_several_at_once_delete_each_row_once(
    service: RunningService, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 5)
    for _ in range(40):
        await add_key(database, NOW - timedelta(days=100))
    other = Database(settings)
    sweepers = [Sweeper(each, settings, FixedClock()) for each in (database, other) for _ in range(2)]
    assert sum(await asyncio.gather(*(sweeper.sweep() for sweeper in sweepers))) == 40
    await other.close()


@pytest.mark.parametrize("databases", [pytest.param("postgresql", marks=pytest.mark.integration)], indirect=True)
async def test_it_waits_for_nobody_who_works_with_a_row(
    service: RunningService, sweeper: Sweeper, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_use = await add_key(database, NOW - timedelta(days=100))
    await add_key(database, NOW - timedelta(days=100))
    async with database.writing_engine.begin() as connection:
        mine = select(idempotency_keys).where(idempotency_keys.c.digest == in_use).with_for_update()
        await connection.execute(mine)
        assert await within_patience(sweeper.sweep()) == 1
        monkeypatch.setattr(batches, "FOUND_AT_ONCE", 1)
        assert await within_patience(sweeper.sweep()) == 0
    assert await keys_left(service) == {in_use}


async def test_a_running_service_sweeps_again_and_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep, swept = Sweeper.sweep, asyncio.Queue[int]()

    async def noting(sweeper: Sweeper) -> int:
        if rows := await sweep(sweeper):
            swept.put_nowait(rows)
        return rows

    # Before the service starts: a sweep that is on its way would not be noted.
    monkeypatch.setattr(Sweeper, "sweep", noting)
    async with running_service(settings.model_copy(update={"sweep_interval_seconds": 0.01})) as service:
        database = await service.container.get(Database)
        for _ in range(2):
            await add_key(database, NOW - timedelta(days=100))
            assert await within_patience(swept.get()) == 1


async def test_it_survives_an_outage_and_ends_with_the_service(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = settings.model_copy(update={"sweep_interval_seconds": 0.001})
    failures: list[Exception] = [TransientError("The database cannot be reached."), RuntimeError("a bug")]
    swept, before = asyncio.Event(), sweepers()

    async def sweep(_: Sweeper) -> int:
        if failures:
            raise failures.pop(0)
        swept.set()
        return 0

    monkeypatch.setattr(Sweeper, "sweep", sweep)
    async with Sweeper(database, often, FixedClock()).running():
        assert len(sweepers()) == len(before) + 1
        await within_patience(swept.wait())
    assert sweepers() == before


def sweepers() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task.get_name() == "sweeper"}


@pytest.mark.parametrize("table", [event_log, received_events], ids=lambda table: table.name)
async def test_that_an_event_was_handled_is_known_for_as_long_as_it_may_come_again(
    service: RunningService, sweeper: Sweeper, database: Database, table: Table
) -> None:
    old, waiting, young = event_of("a", 1), event_of("a", 2), event_of("a", 3)
    await store(database, old, waiting, young, table=table)
    kept = timedelta(seconds=sweeping.RECEIVED_SECONDS)
    async with database.writing_engine.begin() as connection:
        for event_id, age in ((old.id, kept), (waiting.id, kept), (young.id, kept - SECOND)):
            note = {"event_id": event_id, "handler": "Welcome", "received_at": NOW - age}
            await connection.execute(insert(inbox).values(note))
        delivered = update(table).where(table.c.id.in_([old.id, young.id]))
        await connection.execute(delivered.values(published_at=NOW))
    assert await sweeper.sweep() == 1
    assert {row.event_id for row in await rows_of(service, inbox)} == {waiting.id, young.id}


async def test_a_received_event_that_was_handled_is_deleted_and_the_log_is_not(
    service: RunningService, sweeper: Sweeper, database: Database
) -> None:
    kept = timedelta(seconds=sweeping.RECEIVED_SECONDS)
    for table in (event_log, received_events):
        await store(database, event_of(None), event_of("a", 1), event_of("a", 2), event_of("b", 1), table=table)
        async with database.writing_engine.begin() as connection:
            await connection.execute(update(table).values(published_at=NOW - kept))
        await store(database, event_of("b", 2), table=table)
    assert await sweeper.sweep() == 2 + 2, "two are deleted, and two are emptied"
    left = {(row.aggregate_id, row.version) for row in await rows_of(service, received_events)}
    assert left == {("a", 2), ("b", 1), ("b", 2)}, "the last event that was handed out is the next one's predecessor"
    assert len(await rows_of(service, event_log)) == 5


async def test_an_event_does_not_wait_for_a_predecessor_that_was_handled_long_ago(
    sweeper: Sweeper, database: Database
) -> None:
    outbox = outbox_of(database)
    await store(database, event_of("a", 7), table=received_events)
    (first,) = await claim(outbox)
    await outbox.turn([Outcome(first)], {})
    async with database.writing_engine.begin() as connection:
        await connection.execute(update(received_events).values(published_at=NOW - timedelta(days=365)))
    await sweeper.sweep()
    async with database.writing_engine.begin() as connection:
        arrived = {"source": OTHERS, "previous": 7, "received_at": datetime.now(UTC)}
        await connection.execute(insert(received_events).values(event_of("a", 9).row() | arrived))
    assert [claimed.event.version for claimed in await claim(outbox)] == [9]


async def test_of_the_last_event_of_an_aggregate_nothing_but_its_place_is_kept(
    service: RunningService, sweeper: Sweeper, database: Database
) -> None:
    told: dict[str, Any] = {"payload": {"name": "Ada"}, "metadata": {"user_id": "ada"}}
    old, young, new, waiting, dead = (event_of(name, 1, **told) for name in "abcde")
    await store(database, old, young, new, waiting, dead, table=received_events)
    age = timedelta(seconds=sweeping.RECEIVED_SECONDS)
    async with database.writing_engine.begin() as connection:
        for event_of_age, published_at in ((old, NOW - age), (young, NOW - age + SECOND), (new, None)):
            mine = update(received_events).where(received_events.c.id == event_of_age.id)
            await connection.execute(mine.values(published_at=published_at, occurred_at=NOW - age))
        for one in (waiting, dead):
            mine = update(received_events).where(received_events.c.id == one.id)
            await connection.execute(mine.values(published_at=NOW - age))
            waits = {"event_id": one.id, "handler": HANDLER, "source": OTHERS, "attempts": 1, "dead": one is dead}
            await connection.execute(insert(reactions).values(waits))
    assert await sweeper.sweep() == 1
    found = {row.id: (row.event_type, row.payload, row.metadata) for row in await rows_of(service, received_events)}
    kept = ("Happened", told["payload"], told["metadata"])
    assert found == {each.id: kept for each in (young, new, waiting, dead)} | {old.id: (SKIPPED, {}, {})}
    assert await sweeper.sweep() == 0, "what is empty is not written again"
