"""Failing commits, on fakes and on real databases."""

import pytest

from app.composition.container import RunningService
from app.core.cqrs import (
    ConflictError,
    CQRSBus,
    OperationStatus,
    ServiceUnavailableError,
    TransientError,
    retry_on_failure,
    transactional,
)
from app.core.cqrs.testing import FailingCommits, MemoryBus, MemoryUnitsOfWork, failing_commits, lost_answers
from app.persistence.event_tables import event_log
from app.persistence.tables import audit_log, registrations, users
from tests.core.cqrs.support import Do, DoMore, Happened, handler_of
from tests.rows import events_of, rows_of
from tests.users import create_user


def publishing_bus(attempts: list[int]) -> MemoryBus:
    """A bus with a handler of `Do` that is tried twice."""

    async def handle(_: Do) -> str:
        attempts.append(1)
        await bus.publish_event(Happened())
        return "done"

    bus = MemoryBus(handler_of(Do, handle, transactional(), retry_on_failure(max_attempts=2, delay_seconds=0)))
    return bus


async def test_commits_fail_as_often_as_ordered() -> None:
    attempts: list[int] = []
    bus = publishing_bus(attempts)
    with failing_commits(bus, times=3) as failing:
        assert (await bus.execute_command(Do())).status is OperationStatus.UNAVAILABLE
        assert (failing.failed, len(attempts)) == (2, 2)
        assert (await bus.execute_command(Do())).unwrap() == "done"
        assert (failing.failed, len(attempts)) == (3, 4)
    assert len(bus.units.events) == 1
    assert bus.units.journal == ["begin", "record Happened", "rollback"] * 3 + ["begin", "record Happened", "commit"]


async def test_a_commit_fails_with_the_error_that_was_ordered() -> None:
    attempts: list[int] = []
    bus = publishing_bus(attempts)
    with failing_commits(bus, error=ConflictError("Somebody was faster.")):
        result = await bus.execute_command(Do())
    assert (result.status, result.error_message) == (OperationStatus.CONFLICT, "Somebody was faster.")
    assert len(attempts) == 1
    assert bus.units.events == []


async def test_a_commit_whose_answer_is_lost_is_stored_and_not_tried_again() -> None:
    attempts: list[int] = []
    bus = publishing_bus(attempts)
    with lost_answers(bus) as failing:
        result = await bus.execute_command(Do())
        assert (await bus.execute_command(Do())).is_success, "one was ordered"
    assert (result.status, failing.failed, len(attempts)) == (OperationStatus.UNAVAILABLE, 1, 2)
    assert "check whether this was done" in str(result.error_message)
    assert len(bus.units.events) == 2


async def test_orders_are_carried_out_in_turn_and_end_with_the_block() -> None:
    units = MemoryUnitsOfWork()
    outcomes: list[type[BaseException] | None] = []

    async def commit() -> None:
        try:
            await unit.commit()
            outcomes.append(None)
        except ServiceUnavailableError as error:
            outcomes.append(type(error))

    with FailingCommits(units) as failing:
        unit = units.open(None)
        await commit()
        failing.fail_commits()
        failing.lose_answers()
        failing.fail_commits(times=5)
        for _ in range(3):
            unit = units.open(None)
            await commit()
        unit = units.open(None)
    await commit()
    unit = units.open(None)
    await commit()
    assert outcomes == [None, TransientError, ServiceUnavailableError, TransientError, None, None]
    assert failing.failed == 3
    rest = ["begin", "commit", "begin", "rollback"] * 2
    assert units.journal == [*rest, "begin", "commit", "begin", "commit"], "undone before the unit is closed"


async def test_the_commits_of_a_command_or_of_reactions_to_an_event() -> None:
    bus = publishing_bus([])
    bus.register(handler_of(Happened, lambda _: None, transactional()))
    with failing_commits(bus, of=Happened) as failing:
        assert (await bus.execute_command(Do())).is_success
        assert failing.failed == 0
        await bus.settled()
        assert failing.failed == 1
    with lost_answers(bus, of=DoMore) as failing:
        assert (await bus.execute_command(Do())).is_success
        await bus.settled()
        assert failing.failed == 0
    with lost_answers(bus, of=Do):
        assert (await bus.execute_command(Do())).is_failure


async def test_a_failed_commit_undoes_everything_on_a_real_database(service: RunningService, bus: CQRSBus) -> None:
    with failing_commits(bus, times=3) as failing:
        assert (await bus.execute_command(create_user())).status is OperationStatus.UNAVAILABLE
    await bus.settled()
    assert failing.failed == 3
    for table in (users, event_log, audit_log, registrations):
        assert await rows_of(service, table) == []


async def test_the_attempt_that_succeeds_is_the_only_one_stored(service: RunningService, bus: CQRSBus) -> None:
    with failing_commits(bus, times=2) as failing:
        (await bus.execute_command(create_user())).unwrap()
    await bus.settled()
    assert failing.failed == 2
    assert len(await events_of(service, "User")) == 1
    for table in (users, audit_log, registrations):
        assert len(await rows_of(service, table)) == 1


async def test_what_nobody_heard_of_is_in_the_database(service: RunningService, bus: CQRSBus) -> None:
    with lost_answers(bus) as failing:
        assert (await bus.execute_command(create_user())).status is OperationStatus.UNAVAILABLE
    assert failing.failed == 1
    assert len(await rows_of(service, users)) == len(await events_of(service, "User")) == 1
    assert (await bus.execute_command(create_user())).status is OperationStatus.CONFLICT


@pytest.mark.parametrize("orders", [failing_commits, lost_answers])
async def test_afterwards_the_service_is_as_it_was(bus: CQRSBus, orders: type) -> None:
    before = dict(vars(bus.ports.units))
    with orders(bus):
        pass
    assert vars(bus.ports.units) == before
    assert (await bus.execute_command(create_user())).is_success
