"""What waits, who gets it, and what becomes of it."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import update

from app.core.config import Settings
from app.core.cqrs import OperationMetadata, ServiceUnavailableError, TransientError
from app.core.cqrs.event_types import UnreadableEventError, UnreadableMessageError
from app.persistence import outbox as outbox_module
from app.persistence.database import Database
from app.persistence.errors import LostConnectionError
from app.persistence.event_log import is_in_log
from app.persistence.outbox import MOST_AGGREGATES, MOST_BEHIND_ONE, Outbox
from app.persistence.tables import event_log, parked_events
from tests.events import MOST_ATTEMPTS, event_of, outbox_of, row_of, store

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.integration)
ON_POSTGRESQL = pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)


async def test_who_claims_gets_streams_in_order_and_nobody_else_gets_them(database: Database) -> None:
    await store(database, event_of("a", 2), event_of("b", 1), event_of("a", 1), event_of(None))
    outbox = outbox_of(database)
    async with outbox.claim() as claimed:
        assert sorted([event.version for event in stream] for stream in claimed.streams if stream[0].version) == [
            [1],
            [1, 2],
        ]
        assert len(claimed.streams) == 3
        async with outbox_of(database).claim() as others:
            assert others.streams == []
    async with outbox.claim() as claimed:
        assert len(claimed.streams) == 3  # nothing was delivered


@ON_POSTGRESQL
async def test_what_comes_while_others_are_claimed_is_for_the_next(database: Database) -> None:
    await store(database, event_of("a", 1))
    async with outbox_of(database).claim() as first:
        await store(database, event_of("a", 2), event_of("b", 1))
        async with outbox_of(database).claim() as second:
            assert [[event.key for event in stream] for stream in second.streams] == [["Thing:b"]]
        first.delivered = [stream[0].id for stream in first.streams]
    async with outbox_of(database).claim() as third:
        assert sorted((event.key, event.version) for (event,) in third.streams) == [("Thing:a", 2), ("Thing:b", 1)]


async def test_one_turn_has_bounds(database: Database) -> None:
    await store(database, *(event_of(str(number), 1) for number in range(MOST_AGGREGATES + 1)))
    await store(database, *(event_of("0", version) for version in range(2, MOST_BEHIND_ONE + 5)))
    async with outbox_of(database).claim() as claimed:
        assert len(claimed.streams) == MOST_AGGREGATES
        assert [event.version for event in claimed.streams[0]] == list(range(1, MOST_BEHIND_ONE + 2))


async def test_a_stream_whose_first_event_is_not_due_waits_as_a_whole(database: Database) -> None:
    first, second = event_of("a", 1), event_of("a", 2)
    await store(database, first, second)
    outbox = outbox_of(database, retry_seconds=100)
    async with outbox.claim() as claimed:
        claimed.failed.append((first, ValueError("no")))
    async with outbox.claim() as claimed:
        assert claimed.streams == []
    wait = (await row_of(database, first.id)).next_attempt_at - datetime.now(UTC)
    assert timedelta(seconds=45) < wait < timedelta(seconds=100)
    async with database.writing() as session, session.begin():
        await session.execute(update(event_log).values(next_attempt_at=datetime.now(UTC)))
    async with outbox.claim() as claimed:
        ((head, follower),) = claimed.streams
        assert (head.id, follower.id, head.attempts) == (first.id, second.id, 1)


@pytest.mark.parametrize(("attempts", "longest"), [(0, 2.0), (1, 4.0), (4, 32.0), (20, 300.0), (5000, 300.0)])
async def test_waits_get_longer_up_to_a_bound(database: Database, attempts: int, longest: float) -> None:
    event = event_of("a", 1, attempts=attempts)
    await store(database, event)
    before = datetime.now(UTC)
    async with Outbox(database, event_log, 10_000, 2.0).claim() as claimed:
        claimed.failed.append((claimed.streams[0][0], ValueError("no")))
    after, next_attempt_at = datetime.now(UTC), (await row_of(database, event.id)).next_attempt_at
    assert before + timedelta(seconds=longest / 2) <= next_attempt_at <= after + timedelta(seconds=longest)


async def test_the_last_attempt_makes_it_dead(database: Database) -> None:
    event = event_of("a", 1, attempts=MOST_ATTEMPTS - 1)
    await store(database, event)
    async with outbox_of(database).claim() as claimed:
        claimed.failed.append((claimed.streams[0][0], ExceptionGroup("2", [ValueError("x"), KeyError("y")])))
    row = await row_of(database, event.id)
    assert (row.dead, row.attempts, row.last_error) == (True, MOST_ATTEMPTS, "ValueError: x; KeyError: 'y'")
    async with outbox_of(database).claim() as claimed:
        assert claimed.streams == []


@pytest.mark.parametrize(
    ("error", "dead"),
    [
        (TransientError("away"), False),
        (ExceptionGroup("2", [TransientError("away"), LostConnectionError("lost")]), False),
        (ExceptionGroup("2", [TransientError("away"), ValueError("a bug")]), True),
        (ServiceUnavailableError("for good"), True),
    ],
    ids=repr,
)
async def test_what_an_outage_keeps_from_being_done_does_not_die_of_it(
    database: Database, error: Exception, dead: bool
) -> None:
    event = event_of("a", 1, attempts=10 * MOST_ATTEMPTS)
    await store(database, event)
    with structlog.testing.capture_logs() as logs:
        async with outbox_of(database).claim() as claimed:
            claimed.failed.append((claimed.streams[0][0], error))
    row = await row_of(database, event.id)
    assert (row.dead, row.attempts) == (dead, 10 * MOST_ATTEMPTS + 1)
    assert [line["event"] for line in logs if line["event"] == "event_dead"] == ["event_dead"] * dead


async def test_an_error_that_cannot_be_printed_stops_nobody(database: Database) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError

    event = event_of("a", 1)
    await store(database, event)
    async with outbox_of(database).claim() as claimed:
        claimed.failed.append((claimed.streams[0][0], ExceptionGroup("1", [Broken()])))
    assert (await row_of(database, event.id)).last_error == "Broken, which cannot be printed"


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
async def test_what_is_replayed_while_it_fails_for_the_last_time_is_not_dead(database: Database) -> None:
    event = event_of("a", 1, attempts=MOST_ATTEMPTS - 1)
    await store(database, event)
    async with outbox_of(database).claim() as claimed:
        claimed.failed.append((claimed.streams[0][0], ValueError("no")))
        async with database.writing() as session, session.begin():
            await session.execute(update(event_log).values(attempts=0))
    row = await row_of(database, event.id)
    assert (row.dead, row.attempts) == (False, 0)


@pytest.mark.parametrize("attempts", [0, MOST_ATTEMPTS - 1])
async def test_what_this_release_cannot_read_is_tried_again_because_another_may(
    database: Database, attempts: int
) -> None:
    event = event_of("a", 1, attempts=attempts)
    await store(database, event)
    async with outbox_of(database).claim() as claimed:
        claimed.failed.append((claimed.streams[0][0], UnreadableEventError("No class reads it.")))
    assert (await row_of(database, event.id)).dead is (attempts > 0)


class Noted:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.reported: list[tuple[str, str, str]] = []

    def report(self, error: BaseException, name: str, metadata: OperationMetadata) -> None:
        self.reported.append((str(error), name, metadata.operation_id))


@pytest.mark.parametrize(("attempts", "is_dead"), [(MOST_ATTEMPTS - 1, True), (MOST_ATTEMPTS - 2, False)])
async def test_what_is_dead_is_reported_when_that_is_stored(database: Database, attempts: int, is_dead: bool) -> None:
    await store(database, event_of("a", 1, attempts=attempts, metadata={"operation_id": "o1"}))
    noted = Noted()
    async with Outbox(database, event_log, MOST_ATTEMPTS, 0.0, noted).claim() as claimed:
        claimed.failed.append((claimed.streams[0][0], ValueError("no")))
        assert noted.reported == []
    assert noted.reported == ([("no", "Happened", "o1")] if is_dead else [])


async def test_what_arrives_dead_is_reported_once(database: Database) -> None:
    noted, event = Noted(), event_of("a", 1, metadata={"operation_id": "o1"})
    outbox = Outbox(database, parked_events, MOST_ATTEMPTS, 0.0, noted)
    for _ in range(2):
        await outbox.put(event, UnreadableMessageError("Nobody can read it."))
    await outbox.put(event_of("b", 1), ValueError("It may go better."))
    await outbox.put(event_of("b", 2), None)
    assert noted.reported == [("Nobody can read it.", "Happened", "o1")]


async def test_a_claim_that_is_broken_off_leaves_everything_as_it_was(database: Database) -> None:
    (event_id,) = await store(database, event_of("a", 1))

    async def break_off() -> None:
        async with outbox_of(database).claim() as claimed:
            claimed.delivered.append(event_id)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await break_off()
    assert (await row_of(database, event_id)).published_at is None
    async with outbox_of(database).claim() as claimed:
        assert [event.id for (event,) in claimed.streams] == [event_id]


@ON_POSTGRESQL
async def test_a_delivery_may_take_longer_than_a_transaction_may_stand_idle(
    settings: Settings, database: Database
) -> None:
    impatient = Database(settings.model_copy(update={"database_idle_transaction_timeout_seconds": 0.05}))
    (event_id,) = await store(database, event_of("a", 1))
    async with outbox_of(impatient).claim() as claimed:
        async with database.reading_engine.connect() as other:
            await other.exec_driver_sql("SELECT pg_sleep(0.3)")
        claimed.delivered.append(event_id)
    assert (await row_of(database, event_id)).published_at is not None
    await impatient.close()


async def test_an_event_is_parked_once_and_keeps_what_follows_waiting(database: Database) -> None:
    parked = outbox_of(database, parked_events)
    first, second, other = event_of("a", 1), event_of("a", 2), event_of("b", 1)
    assert not await parked.is_waiting(first)
    await parked.put(first, ValueError("no"))
    await parked.put(first, ValueError("again"))
    assert await parked.is_waiting(first)
    assert await parked.is_waiting(second)
    assert not await parked.is_waiting(other)
    assert not await parked.is_waiting(event_of(None))
    await parked.put(second, None)
    async with parked.claim() as claimed:
        assert [[event.id for event in stream] for stream in claimed.streams] == [[first.id, second.id]]
        claimed.delivered += [first.id, second.id]
    assert not await parked.is_waiting(event_of("a", 3))
    row = await row_of(database, first.id, parked_events)
    assert row.attempts == 1
    assert row.occurred_at == first.occurred_at


async def test_a_reason_is_not_longer_than_somebody_reads(database: Database) -> None:
    assert len(outbox_module.reason(ValueError("x" * 10_000))) == outbox_module.LONGEST_REASON


async def test_what_waits_behind_a_dead_event_does_not_overtake_it(database: Database) -> None:
    first, dead, last = event_of("a", 1), event_of("a", 2), event_of("a", 3)
    await store(database, first, dead, last)
    async with database.writing() as session, session.begin():
        await session.execute(update(event_log).where(event_log.c.id == dead.id).values(dead=True))
    async with outbox_of(database).claim() as claimed:
        assert [[event.id for event in stream] for stream in claimed.streams] == [[first.id]]
        claimed.delivered.append(first.id)
    async with outbox_of(database).claim() as claimed:
        assert claimed.streams == []


async def test_a_reason_that_no_database_takes_is_stored_as_far_as_it_can_be(database: Database) -> None:
    event = event_of("a", 1)
    await store(database, event)
    async with outbox_of(database).claim() as claimed:
        claimed.failed.append((event, ValueError("nul \x00, half a letter \ud800")))
    assert (await row_of(database, event.id)).last_error == "ValueError: nul ?, half a letter ?"


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
async def test_a_replica_that_is_late_is_not_asked(settings: Settings, database: Database, tmp_path: Path) -> None:
    late = shutil.copy((database.writing_engine.url.database or ""), tmp_path / "late.db")
    with_replica = Database(settings.model_copy(update={"read_database_url": f"sqlite+aiosqlite:///{late}"}))
    parked, event = outbox_of(with_replica, parked_events), event_of("a", 1)
    await store(with_replica, event)
    assert await is_in_log(with_replica, event.id)
    await parked.put(event, ValueError("no"))
    assert await parked.is_waiting(event)
    async with parked.claim() as claimed:
        assert [[one.id for one in stream] for stream in claimed.streams] == [[event.id]]
    await with_replica.close()
