"""What an operator does with events that failed: a service runs beside, whose telephone was broken."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table
from sqlalchemy import event as sql
from structlog.testing import capture_logs

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import ConflictError, CQRSError
from app.core.ids import uuid7
from app.handlers.user.update_user_handler import UpdateUserCommand
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, received_events
from app.persistence.events import batches, outbox_statistics
from app.persistence.events.outbox_statements import OWN, SKIPPED, UNREADABLE
from app.persistence.events.outbox_statistics import NEW, Backlog, backlogs, queues
from app.persistence.events.purging import Choice, count_chosen, purge
from app.persistence.events.stored_event import StoredEvent
from app.persistence.events.waiting_events import events_without_class, failed_events, replay
from tests.databases import settings_for
from tests.events import (
    HANDLER,
    OTHERS,
    claim,
    event_of,
    let_wait,
    outbox_of,
    reaction_of,
    shared_clock_ahead,
    store,
)
from tests.lifespan import service_with
from tests.persistence.failing_reactions import telephone
from tests.rows import rows_of
from tests.users import People, Person


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """One failure is enough; on PostgreSQL the relay looks only when somebody wakes it."""
    poll = 0.05 if settings.database_url.startswith("sqlite") else 600.0
    return settings.model_copy(update={"event_max_attempts": 1, "relay_poll_seconds": poll})


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service, with a telephone that is broken for news of new users."""
    telephone.repaired(but_for="UserCreated")
    async with service_with(settings, ("app.handlers", "tests.persistence.failing_reactions")) as running:
        yield running


@pytest.fixture
async def operator(settings: Settings) -> AsyncIterator[Database]:
    """The database, as a command in a process of its own has it."""
    database = Database(settings)
    yield database
    await database.close()


async def changed_member(people: People, service: RunningService) -> Person:
    """A member whose first event is dead, and whose second waits behind it."""
    member = await people.member()
    (await member.command(UpdateUserCommand(member.id, full_name="Somebody else"))).unwrap()
    await service.bus.settled()
    return member


async def first_event(service: RunningService, member: Person) -> UUID:
    rows = await rows_of(service, event_log)
    found: UUID = next(row.id for row in rows if row.aggregate_id == str(member.id) and row.version == 1)
    return found


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


async def test_what_waits_is_counted_with_the_reason(
    service: RunningService, people: People, operator: Database
) -> None:
    await changed_member(people, service)
    telephone.repaired()
    await people.member()
    await service.bus.settled()
    for aggregate_id, version, error in (("1", 1, None), ("1", 2, None), (None, None, OSError()), (None, None, None)):
        event = event_of(aggregate_id, version, occurred_at=an_hour_ago())
        await let_wait(operator, event, error, behind=version == 2)

    new, called, waiting = await backlogs(operator)

    assert new == Backlog(NEW, 0, 0.0, 0, 0, 0)
    assert called == Backlog("CallSomebodyHandler", 2, called.oldest_seconds, failed=1, dead=1, behind_dead=1)
    assert waiting == Backlog(HANDLER, 4, waiting.oldest_seconds, failed=1, dead=1, behind_dead=0)
    assert 0 < called.oldest_seconds < 60
    assert 3600 <= waiting.oldest_seconds < 3660


async def test_what_was_not_handed_out_is_counted_too(operator: Database) -> None:
    await store(operator, event_of("1", 1, occurred_at=an_hour_ago()), event_of("1", 2))
    await store(operator, event_of("1", 1), table=received_events)
    (new,) = await backlogs(operator)
    assert new == Backlog(NEW, 3, new.oldest_seconds, failed=0, dead=0, behind_dead=0)
    assert 3600 <= new.oldest_seconds < 3660


async def test_counting_for_metrics_ends_at_a_limit_that_hides_no_dead_ones(operator: Database) -> None:
    for number in "123":
        await let_wait(operator, event_of(number, 1, occurred_at=an_hour_ago()))
    for number in "456":
        await let_wait(operator, event_of(number, 1), OSError())
        await store(operator, event_of(number, 2, occurred_at=an_hour_ago()))

    new, waiting = await queues(operator, at_most=2)

    assert (new.waiting, waiting.waiting, waiting.dead) == (2, 2, 2)
    assert 3600 <= waiting.oldest_seconds <= new.oldest_seconds + 60 < 3720


async def test_the_oldest_is_looked_for_among_the_first(operator: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_statistics, "LOOKED_AT", 2)
    for number, moment in (("1", datetime.now(UTC)), ("2", an_hour_ago()), ("3", an_hour_ago() - timedelta(hours=1))):
        await let_wait(operator, event_of(number, 1, occurred_at=moment))

    _, waiting = await backlogs(operator)

    assert 3600 <= waiting.oldest_seconds < 3660


async def test_a_handler_for_which_much_waits_hides_no_other(operator: Database) -> None:
    for version in (1, 2, 3):
        await let_wait(operator, event_of("1", version), handler="Slow", behind=version > 1)
    await let_wait(operator, event_of("2", 1), OSError(), handler="Failing")

    _, failing, slow = await queues(operator, at_most=2)

    assert (failing.handler, failing.waiting, failing.dead) == ("Failing", 1, 1)
    assert (slow.handler, slow.waiting, slow.dead) == ("Slow", 2, 0)


async def test_the_dead_are_not_behind_each_other(operator: Database) -> None:
    for version, error in ((1, None), (2, OSError()), (3, OSError()), (4, None)):
        await let_wait(operator, event_of("1", version), error, behind=version > 1)

    _, waiting = await backlogs(operator)

    assert (waiting.dead, waiting.behind_dead) == (2, 1)


async def test_where_nothing_waits_everything_is_0(operator: Database) -> None:
    assert await backlogs(operator) == [Backlog(NEW, 0, 0.0, 0, 0, 0)]


async def test_what_failed_is_listed_oldest_first(service: RunningService, people: People, operator: Database) -> None:
    member = await changed_member(people, service)
    await let_wait(operator, event_of("1", 1, occurred_at=an_hour_ago()), OSError("Not yet."), dead=False)
    await let_wait(operator, event_of("1", 2), behind=True)
    await let_wait(operator, event_of("2", 1), OSError(), dead=False)

    older, newer, newest = await failed_events(operator, dead_only=False, limit=50)

    assert (older.handler, older.last_error, older.dead) == (HANDLER, "OSError: Not yet.", False)
    assert newer.handler == "CallSomebodyHandler"
    assert (newer.event_type, newer.attempts, newer.dead) == ("UserCreated", 1, True)
    assert (newer.id, newer.aggregate) == (await first_event(service, member), f"User {member.id}")
    assert "The telephone\nis broken." in newer.last_error
    assert newest.aggregate == "Thing 2"
    assert await failed_events(operator, dead_only=True, limit=50) == [newer]
    assert await failed_events(operator, dead_only=False, limit=1) == [older]


@pytest.mark.parametrize("by_id", [True, False])
async def test_after_the_cure_a_replay_delivers_in_order(
    service: RunningService, people: People, operator: Database, by_id: bool
) -> None:
    member = await changed_member(people, service)
    assert telephone.reached_about(member.id) == []
    telephone.repaired()

    assert (await replay(operator, [await first_event(service, member)] if by_id else None)).total() == 1

    await telephone.until_reached_about(member.id, "UserCreated", "UserUpdated")
    await service.bus.settled()
    assert [backlog.waiting for backlog in await backlogs(operator)] == [0]
    assert await count_chosen(operator, Choice()) == (0, 0)


async def test_without_a_cure_it_is_dead_again_and_says_why(
    service: RunningService, people: People, operator: Database
) -> None:
    await changed_member(people, service)

    await replay(operator, None)
    await service.bus.settled()

    (failed,) = await failed_events(operator, dead_only=True, limit=50)
    assert failed.attempts == 1


async def test_a_replay_keeps_the_reason_until_it_is_delivered(
    operator: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, held_back = event_of("1", 1), event_of("2", 1)
    await let_wait(operator, waiting)
    await let_wait(operator, held_back, OSError("Gone."))

    with shared_clock_ahead(monkeypatch):
        assert (await replay(operator, None)).total() == 1

    (failed,) = await failed_events(operator, dead_only=False, limit=50)
    assert (failed.id, failed.dead, failed.attempts) == (held_back.id, False, 0)
    assert failed.due_at is not None and failed.due_at <= datetime.now(UTC)
    assert failed.last_error == "OSError: Gone."


async def test_who_is_given_up_is_never_delivered_and_what_waited_behind_is(
    service: RunningService, people: People, operator: Database
) -> None:
    member = await changed_member(people, service)
    telephone.repaired()
    assert await count_chosen(operator, Choice()) == (1, 0)

    assert await purge(operator, Choice([await first_event(service, member)])) == 1

    await telephone.until_reached_about(member.id, "UserUpdated")
    assert await failed_events(operator, dead_only=False, limit=50) == []
    assert (await replay(operator, None)).total() == 0


async def test_only_the_dead_are_given_up(operator: Database) -> None:
    waiting, dead = event_of("1", 1), event_of("2", 1)
    await let_wait(operator, waiting)
    await let_wait(operator, dead, OSError())

    with pytest.raises(ConflictError, match=f"No dead event waits with the id {waiting.id}: .* Nothing was changed"):
        await purge(operator, Choice([waiting.id, dead.id]))
    assert await count_chosen(operator, Choice([waiting.id, dead.id])) == (1, 0)
    assert await purge(operator, Choice()) == 1

    _, left = await backlogs(operator)
    assert (left.waiting, left.dead) == (1, 0)


async def test_who_does_not_wait_is_refused_and_nothing_is_changed(
    service: RunningService, people: People, operator: Database
) -> None:
    member = await changed_member(people, service)
    first = await first_event(service, member)
    unknown, delivered = uuid7(), uuid7()
    await _insert_delivered(operator, event_log, delivered)

    for refused in (unknown, delivered):
        for change in (replay(operator, [first, refused]), purge(operator, Choice([first, refused]))):
            with pytest.raises(ConflictError, match=f"the id {refused}: see `app outbox list`. Nothing was changed."):
                await change
    assert await count_chosen(operator, Choice()) == (1, 0)


async def test_what_failed_at_two_handlers_is_replayed_at_both_or_at_one(operator: Database) -> None:
    event = event_of("1", 1)
    for handler in ("One", "Two"):
        await let_wait(operator, event, OSError(), handler=handler)

    assert (await replay(operator, [event.id], "One")).total() == 1
    assert [failed.handler for failed in await failed_events(operator, dead_only=True, limit=9)] == ["Two"]
    assert (await replay(operator, [event.id])).total() == 2
    assert await count_chosen(operator, Choice()) == (0, 0)


async def test_what_is_just_being_tried_is_left_alone(operator: Database) -> None:
    tried, free = event_of("1", 1), event_of("2", 1)
    for event in (tried, free):
        await let_wait(operator, event, OSError(), dead=False)
    (claimed,) = await outbox_of(operator).turn([], {HANDLER: 1})

    assert (await replay(operator, None)).total() == 1
    with pytest.raises(ConflictError):
        await replay(operator, [claimed.event.id])


async def dead_with_followers(operator: Database, monkeypatch: pytest.MonkeyPatch) -> list[list[StoredEvent]]:
    """Aggregates with a dead event and one behind it, and batches of two."""
    monkeypatch.setattr(batches, "BATCH", 2)
    return [
        [
            await let_wait(operator, event_of(number, 1), OSError()),
            await let_wait(operator, event_of(number, 2), behind=True),
        ]
        for number in "12345"
    ]


@contextmanager
def failing_at_the_second(statement: str, operator: Database) -> Iterator[None]:
    """Lose the database at the second statement that begins with this word."""
    engine = (operator.writing_engine if operator.is_sqlite else operator.relaying_engine).sync_engine
    seen: list[str] = []

    def fail(*arguments: Any) -> None:
        seen.extend([arguments[2]] if arguments[2].startswith(statement) else [])
        if len(seen) == 2:
            raise OSError("It is lost.")

    sql.listen(engine, "before_cursor_execute", fail)
    with pytest.raises(CQRSError):
        yield
    sql.remove(engine, "before_cursor_execute", fail)


async def test_a_purge_that_is_interrupted_has_discarded_whole_batches(
    operator: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = await dead_with_followers(operator, monkeypatch)

    with capture_logs() as logs, failing_at_the_second("DELETE", operator):
        await purge(operator, Choice())

    rows = [[await reaction_of(operator, one.id) for one in stream] for stream in streams]
    assert [first is None for first, _ in rows] == [False, False, False, True, True]
    assert [second is not None and second.due_at is not None for _, second in rows] == [False, False, False, True, True]
    assert [(line["event"], line["handler"], line["events"]) for line in logs] == [("events_discarded", HANDLER, 2)]
    assert await purge(operator, Choice()) == 3


async def test_a_replay_that_is_interrupted_has_retried_the_oldest(
    operator: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = await dead_with_followers(operator, monkeypatch)

    with failing_at_the_second("UPDATE", operator):
        await replay(operator, None)

    left = await failed_events(operator, dead_only=True, limit=9)
    assert {failed.id for failed in left} == {first.id for first, _ in streams[2:]}
    assert await replay(operator, None) == {HANDLER: 5}


async def test_nothing_that_is_discarded_with_its_handler_becomes_due(
    operator: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "FOUND_AT_ONCE", 2)
    versions = [await let_wait(operator, event_of("1", version), behind=version > 1) for version in (1, 2, 3, 4)]

    with failing_at_the_second("DELETE", operator):
        await purge(operator, Choice(handler=HANDLER))

    first, second, *gone = [await reaction_of(operator, one.id) for one in versions]
    assert first is not None and first.due_at is not None
    assert second is not None and second.due_at is None
    assert gone == [None, None]


async def test_all_that_waits_for_a_handler_is_given_up_by_its_name(operator: Database) -> None:
    await let_wait(operator, event_of("1", 1), handler="Gone")
    await let_wait(operator, event_of("1", 2), handler="Gone", behind=True)
    await let_wait(operator, event_of("2", 1), OSError())

    assert await count_chosen(operator, Choice(handler="Gone")) == (2, 2)
    assert await purge(operator, Choice(handler="Gone")) == 2

    assert [backlog.handler for backlog in await backlogs(operator)] == [NEW, HANDLER]


async def test_the_dead_of_a_handler_are_given_up_without_what_else_waits_for_it(operator: Database) -> None:
    await let_wait(operator, event_of("1", 1), OSError())
    await let_wait(operator, event_of("2", 1))
    choice = Choice(handler=HANDLER, dead_only=True)

    assert await count_chosen(operator, choice) == (1, 0)
    assert await purge(operator, choice) == 1

    _, left = await backlogs(operator)
    assert (left.waiting, left.dead) == (1, 0)


@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize("table", [event_log, received_events], ids=str)
async def test_an_event_whose_class_is_gone_is_listed_and_given_up_with_a_line_in_the_log(
    operator: Database, by_id: bool, table: Table
) -> None:
    gone, follows = event_of("1", 1, event_type="Gone"), event_of("1", 2)
    skipped = event_of("2", 1, event_type=SKIPPED)
    await store(operator, gone, follows, *([skipped] if table is received_events else []), table=table)
    kinds = [(OWN, "Happened"), (OTHERS, "Happened")]
    choice = Choice([gone.id]) if by_id else Choice(handler=NEW, kinds=kinds)

    (listed,) = await events_without_class(operator, kinds, 9)
    assert (listed.id, listed.handler, listed.event_type) == (gone.id, NEW, "Gone")
    assert await count_chosen(operator, choice) == (1, 1)
    with capture_logs() as logs:
        assert await purge(operator, choice) == 1

    (line,) = logs
    told = ("event_discarded", str(gone.id), None) if by_id else ("events_discarded", None, 1)
    assert (line["event"], line.get("event_id"), line.get("events"), line["handler"]) == (*told, NEW)
    assert [one.event.id for one in await claim(outbox_of(operator))] == [follows.id]


async def test_a_message_that_nobody_can_read_is_not_tried_again(operator: Database) -> None:
    unreadable = event_of("0", 1)
    await let_wait(operator, unreadable, OSError(), handler=UNREADABLE)
    await let_wait(operator, event_of("1", 1), OSError())

    assert await replay(operator, None) == {HANDLER: 1}
    for ids, handler in (([unreadable.id], None), (None, UNREADABLE)):
        with pytest.raises(ConflictError, match=f"No release can read {unreadable.id}, .* `app outbox purge`"):
            await replay(operator, ids, handler)

    assert await count_chosen(operator, Choice()) == (1, 0)


async def _insert_delivered(database: Database, table: Table, event_id: UUID) -> None:
    row = {**event_of(None, None).row(), "id": event_id, "published_at": datetime.now(UTC)}
    async with database.writing_engine.begin() as connection:
        await connection.execute(table.insert().values(row))


async def test_what_waits_is_counted_where_it_is_stored_and_not_on_a_replica(
    settings: Settings, empty_database_url: str
) -> None:
    database = Database(settings_for(settings.database_url, read_database_url=empty_database_url))
    assert [queue.handler for queue in await queues(database)] == [NEW]
    assert [backlog.handler for backlog in await backlogs(database)] == [NEW]
    await database.close()
