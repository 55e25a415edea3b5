"""Units of work on real databases: what is kept, what is undone, and what many at once do to each other."""

import asyncio
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.pool import QueuePool

from app.composition.container import RunningService
from app.core.cqrs import (
    AuthenticationError,
    BusinessRuleViolationError,
    ConcurrencyError,
    ConfigurationError,
    ConflictError,
    CQRSBus,
    EventRecord,
    OperationMetadata,
    OperationResult,
    OperationStatus,
    PolicyError,
    RaisedEvent,
    ServiceUnavailableError,
    TransientError,
    UnitsOfWork,
)
from app.core.ids import uuid7
from app.domain.user import User
from app.domain.user_events import UserDeactivated, UserUpdated
from app.persistence.engine.database import Database
from app.persistence.engine.errors import LostConnectionError
from app.persistence.engine.sessions import finished, hold
from app.persistence.tables import registrations, users
from app.persistence.unit_of_work import SqlUnitOfWork
from tests.core.cqrs.support import Happened, HappenedToo, Thing
from tests.persistence import commands as send
from tests.persistence.meddling import somebody
from tests.rows import events_of, rows_of
from tests.users import People


async def _connections_in_use(service: RunningService) -> int:
    await service.bus.settled()
    database = await service.container.get(Database)
    pools = [engine.pool for engine in (database.writing_engine, database.reading_engine)]
    return sum(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))


async def test_of_two_hundred_updates_at_once_none_is_lost(service: RunningService, people: People) -> None:
    ada = await people.member(full_name="x")
    results = await asyncio.gather(*(service.bus.execute_command(send.Lengthen(ada.id)) for _ in range(200)))
    assert [result.status for result in results if result.is_failure] == []
    (user,) = await rows_of(service, users)
    assert len(user.full_name) == 201
    assert user.version == 201
    assert len(await events_of(service, "User")) == 201


async def test_twenty_nested_commands_at_once_share_five_connections(service: RunningService, people: People) -> None:
    ada = await people.member(full_name="x")
    nested = (service.bus.execute_command(send.Lengthen(ada.id, times=2)) for _ in range(20))
    results = await asyncio.gather(*nested)
    assert [result.status for result in results if result.is_failure] == []
    (user,) = await rows_of(service, users)
    assert user.full_name == "x" * 41


async def test_who_read_before_somebody_else_wrote_is_told(service: RunningService, people: People) -> None:
    ada = await people.member(full_name="x")
    on_sqlite = service.settings.database_url.startswith("sqlite")
    meet = asyncio.Barrier(1 if on_sqlite else 2)  # SQLite has one writer: the second does not even begin
    results = await asyncio.gather(
        *(service.bus.execute_command(send.LengthenUnlocked(ada.id, meet)) for _ in range(2))
    )
    succeeded = [result for result in results if result.is_success]
    assert len(succeeded) == (2 if on_sqlite else 1)
    assert all(result.status is OperationStatus.UNAVAILABLE for result in results if result.is_failure)
    (user,) = await rows_of(service, users)
    assert len(user.full_name) == 1 + len(succeeded)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (None, 1),
        (AuthenticationError("Somebody else."), 1),
        (BusinessRuleViolationError("Not allowed."), 0),
        (ServiceUnavailableError("Not now."), 0),
        (RuntimeError("a bug"), 0),
    ],
)
async def test_what_is_written_before_an_error_is_kept_only_where_that_was_asked_for(
    service: RunningService, error: Exception | None, kept: int
) -> None:
    await service.bus.execute_command(send.WriteThen(error))
    assert len(await rows_of(service, registrations)) == kept


async def test_a_cancelled_command_leaves_nothing_behind(service: RunningService) -> None:
    command = send.WriteThen(wait=asyncio.Event())
    task = asyncio.create_task(service.bus.execute_command(command))
    await asyncio.wait_for(command.written.wait(), 20)
    assert await _connections_in_use(service) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _connections_in_use(service) == 0
    assert await rows_of(service, registrations) == []
    assert (await service.bus.execute_command(send.WriteThen())).is_success


async def test_a_cancelled_query_leaves_no_connection_behind(service: RunningService) -> None:
    query = send.Sleep(asyncio.Event(), asyncio.Event())
    task = asyncio.create_task(service.bus.execute_query(query))
    await asyncio.wait_for(query.connected.wait(), 20)
    assert await _connections_in_use(service) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _connections_in_use(service) == 0


async def test_cancelling_at_any_moment_leaks_no_connection(service: RunningService, people: People) -> None:
    ada = await people.member()
    for steps in range(40):
        task = asyncio.create_task(service.bus.execute_command(send.Lengthen(ada.id, times=2)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert await _connections_in_use(service) == 0
    assert (await service.bus.execute_command(send.Lengthen(ada.id))).is_success


async def test_events_are_kept_although_nobody_holds_the_aggregate(service: RunningService, people: People) -> None:
    ada = await people.member()
    (await service.bus.execute_command(send.ChangeAndForget(ada.id))).unwrap()
    assert [event.event_type for event in await events_of(service, "User")] == ["UserCreated", "UserUpdated"]


async def test_reactions_inside_the_transaction_see_what_it_did(service: RunningService, people: People) -> None:
    send.seen_in_transaction.clear()
    ada = await people.member(full_name="x")
    (await service.bus.execute_command(send.Lengthen(ada.id))).unwrap()
    assert send.seen_in_transaction == ["xx"]


async def test_events_are_logged_in_the_order_in_which_they_were_raised(
    service: RunningService, people: People
) -> None:
    ada = await people.member(full_name="x")
    (await service.bus.execute_command(send.Lengthen(ada.id, times=3))).unwrap()
    events = sorted(await events_of(service, "User"), key=lambda event: event.id)
    assert [event.version for event in events] == [1, 2, 3, 4]
    assert len({event.metadata["operation_id"] for event in events[1:]}) == 1


async def test_a_unit_that_nobody_used_opens_no_connection(service: RunningService) -> None:
    units = await service.container.get(UnitsOfWork)
    unit = units.open(None)
    assert list(await unit.collect_events()) == []
    await unit.commit()
    await unit.rollback()
    await unit.close()
    assert await _connections_in_use(service) == 0


async def test_what_is_rolled_back_is_gone(service: RunningService) -> None:
    unit = (await service.container.get(UnitsOfWork)).open(None)
    assert isinstance(unit, SqlUnitOfWork)
    await unit.session.execute(registrations.insert().values(event_id=uuid7(), registered_at=datetime.now(UTC)))
    await unit.rollback()
    await unit.commit()
    await unit.close()
    assert await rows_of(service, registrations) == []


async def test_what_was_raised_since_a_savepoint_goes_with_it(service: RunningService, people: People) -> None:
    ada, grace = await people.member(), await people.member()
    unit = (await service.container.get(UnitsOfWork)).open(None)
    assert isinstance(unit, SqlUnitOfWork)
    user, session = await unit.session.get_one(User, ada.id), unit.session
    user.update(full_name="before")
    async with session.begin_nested():
        user.update(email="kept@example.org")
        savepoint = await session.begin_nested()
        user.update(full_name="undone")
        (await session.get_one(User, grace.id)).update(full_name="undone")
        session.add(unmade := somebody())
        await savepoint.rollback()
    with pytest.raises(ConfigurationError, match="inside a savepoint that was rolled back"):
        session.add(unmade)
    session.expunge(unmade)
    assert (user.full_name, user.email) == ("before", "kept@example.org")
    user.update(full_name="after", email="after@example.org")
    raised = [(one.aggregate_id, one.version, one.event) for one in await unit.collect_events()]
    await unit.commit()
    await unit.close()
    told = [(id_, version, event.changed) for id_, version, event in raised if isinstance(event, UserUpdated)]
    changes = [(2, ("full_name",)), (3, ("email",)), (4, ("email", "full_name"))]
    assert told == [(str(ada.id), *change) for change in changes]
    assert len(raised) == len(told)


@pytest.mark.parametrize("is_flushed", [True, False])
async def test_a_savepoint_whose_flush_fails_gives_back_what_was_before(
    service: RunningService, people: People, is_flushed: bool
) -> None:
    ada, grace = await people.member(), await people.member()
    unit = (await service.container.get(UnitsOfWork)).open(None)
    assert isinstance(unit, SqlUnitOfWork)
    session = unit.session
    user, taken = await session.get_one(User, ada.id), (await session.get_one(User, grace.id)).email
    before = user.email
    with suppress(ConflictError):
        async with unit.savepoint():
            user.update(email=taken)
            if is_flushed:
                await session.flush()
    assert (user.email, user.count_events()) == (before, 0)
    user.update(full_name="after")
    await unit.commit()
    await unit.close()


async def test_one_that_is_made_again_inside_a_savepoint_goes_with_it(service: RunningService, people: People) -> None:
    ada = await people.member()
    unit = (await service.container.get(UnitsOfWork)).open(None)
    assert isinstance(unit, SqlUnitOfWork)
    session = unit.session
    user = await session.get_one(User, ada.id)
    await session.delete(user)
    await session.flush()
    again = somebody()
    again.id = ada.id
    with suppress(ZeroDivisionError):
        async with unit.savepoint():
            session.add(again)
            again.update(full_name="Again")
            await session.flush()
            raise ZeroDivisionError
    with pytest.raises(ConfigurationError, match="inside a savepoint that was rolled back"):
        session.add(again)
    await unit.close()


async def test_an_event_of_a_version_that_is_there_already_is_refused(service: RunningService) -> None:
    unit = (await service.container.get(UnitsOfWork)).open(None)
    for outcome in (nullcontext(), pytest.raises(ConcurrencyError)):
        event = RaisedEvent(UserDeactivated(user_id=uuid7()), "User", "1", 2)
        with outcome:
            await unit.record([EventRecord(event, OperationMetadata())])
    await unit.close()


async def test_a_row_that_somebody_else_changed_meanwhile_is_not_overwritten(
    service: RunningService, people: People
) -> None:
    ada = await people.member()
    unit = (await service.container.get(UnitsOfWork)).open(None)
    assert isinstance(unit, SqlUnitOfWork)
    user = await unit.session.get_one(User, ada.id)
    await unit.session.execute(users.update().values(version=5))
    user.update(full_name="changed")
    with pytest.raises(ConcurrencyError) as raised:
        await unit.commit()
    assert raised.value.must_roll_back
    await unit.close()


async def test_a_connection_is_given_back_before_a_cancellation_goes_on(service: RunningService) -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), []

    async def close() -> None:
        begun.set()
        await may_end.wait()
        ended.append(True)

    task = asyncio.create_task(finished(close()))
    await begun.wait()
    task.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


async def test_a_level_that_the_database_lacks_is_refused(service: RunningService) -> None:
    units = await service.container.get(UnitsOfWork)
    for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        units.check(level)
    if service.settings.database_url.startswith("postgresql"):
        with pytest.raises(PolicyError, match="SNAPSHOT"):
            units.check("SNAPSHOT")
    else:
        units.check("SNAPSHOT")


async def test_a_connection_lost_in_the_commit_is_not_tried_again(service: RunningService) -> None:
    """Whether it was committed is unknown: `TransientError` would do it twice."""
    units = await service.container.get(UnitsOfWork)
    unit = units.open(None)
    assert isinstance(unit, SqlUnitOfWork)

    def lose_connection() -> None:
        raise LostConnectionError("gone")

    unit.session.sync_session.commit = lose_connection  # type: ignore[method-assign]
    with pytest.raises(ServiceUnavailableError) as raised:
        await unit.commit()
    assert not isinstance(raised.value, TransientError)
    assert raised.value.must_roll_back
    await unit.close()


@pytest.mark.parametrize("how", ["statement", "aggregate", "flush", "delete", "sql"])
async def test_a_write_outside_a_transaction_is_refused_with_a_sentence(
    service: RunningService, bus: CQRSBus, people: People, how: str
) -> None:
    ada = await people.member(full_name="Ada")
    result: OperationResult[Any] = await bus.execute_command(send.WriteOutside(how, ada.id))
    assert result.status is OperationStatus.FAILED
    assert "@transactional" in str(result.error_message)
    (user,) = await rows_of(service, users)
    assert user.full_name == "Ada"


async def test_the_events_of_an_aggregate_are_in_its_order_whenever_they_were_made(service: RunningService) -> None:
    early, late, later = Happened(what="early"), Happened(what="late"), HappenedToo()
    one, other = Thing("one"), Thing("other")
    unit = (await service.container.get(UnitsOfWork)).open(None)
    assert isinstance(unit, SqlUnitOfWork)
    for thing in (one, other):
        hold(unit.session.sync_session, thing)
    one.raise_event(late)
    one.raise_event(early)
    other.raise_event(later)
    raised = await unit.collect_events()
    await unit.close()
    assert [(each.event, each.version) for each in raised] == [(late, 1), (early, 2), (later, 1)]
