import asyncio
from contextlib import suppress
from typing import Any

import pytest

from app.core.cqrs import (
    BusinessRuleViolationError,
    ConcurrencyError,
    ConflictError,
    CQRSBus,
    CQRSError,
    HandlerTimeoutError,
    OperationStatus,
    PolicyError,
    ServiceUnavailableError,
    TransientError,
    authorize,
    transactional,
)
from app.core.cqrs.testing import MemoryBus, MemoryUnitsOfWork
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, Thing, forever, handler_of, raising, within_patience


def bus_with(handle: Any, *decorators: Any, **options: Any) -> MemoryBus:
    bus = MemoryBus()
    bus.register(handler_of(Do, handle, *decorators, **options))
    return bus


async def test_success_commits() -> None:
    bus = bus_with(lambda _: "done", transactional())
    assert (await bus.execute_command(Do())).unwrap() == "done"
    assert bus.units.journal == ["begin", "commit"]


async def test_without_it_nothing_is_opened() -> None:
    bus = bus_with(lambda _: "done")
    await bus.execute_command(Do())
    assert bus.units.journal == []


@pytest.mark.parametrize(
    "error",
    [BusinessRuleViolationError("No."), ZeroDivisionError(), TimeoutError(), CQRSError("No.")],
    ids=lambda error: type(error).__name__,
)
async def test_by_default_any_error_rolls_back(error: Exception) -> None:
    bus = bus_with(raising(error), transactional())
    assert (await bus.execute_command(Do())).is_failure
    assert bus.units.journal == ["begin", "rollback"]


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (ConflictError("No."), "rollback"),
        (ConcurrencyError("A kind of conflict."), "rollback"),
        (BusinessRuleViolationError("No."), "commit"),
        (ZeroDivisionError(), "rollback"),
        (TimeoutError(), "rollback"),
        (HandlerTimeoutError("Of a nested command."), "rollback"),
        (ServiceUnavailableError("No."), "rollback"),
        (TransientError("No."), "rollback"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
async def test_with_rollback_on_only_listed_errors_roll_back_and_all_propagate(error: Exception, end: str) -> None:
    bus = bus_with(raising(error), transactional(rollback_on=[ConflictError]))
    result = await bus.execute_command(Do())
    assert result.is_failure
    assert bus.units.journal == ["begin", end]


async def test_what_commits_despite_an_error_commits_its_events() -> None:
    async def handle(_: Do) -> str:
        bus.units.track(Thing("1")).change()
        raise BusinessRuleViolationError("Too many tries.")

    bus = bus_with(handle, transactional(rollback_on=[]))
    assert (await bus.execute_command(Do())).error_message == "Too many tries."
    assert [event.event_type for event in bus.units.events] == ["Happened"]


async def test_a_database_error_rolls_back_whatever_is_listed() -> None:
    error = ConflictError("The name is taken.")
    error.must_roll_back = True
    bus = bus_with(raising(error), transactional(rollback_on=[]))
    assert (await bus.execute_command(Do())).status is OperationStatus.CONFLICT
    assert bus.units.journal == ["begin", "rollback"]


async def test_cancellation_rolls_back_whatever_is_listed() -> None:
    started = asyncio.Event()

    async def handle(_: Do) -> str:
        started.set()
        await forever()
        return ""

    bus = bus_with(handle, transactional(rollback_on=[]))
    task = asyncio.create_task(bus.execute_command(Do()))
    await within_patience(started.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within_patience(task)
    assert bus.units.journal == ["begin", "rollback"]


async def test_our_deadline_rolls_back_whatever_is_listed() -> None:
    bus = bus_with(lambda _: forever(), transactional(rollback_on=[]), timeout_seconds=0.01)
    assert (await within_patience(bus.execute_command(Do()))).status is OperationStatus.TIMEOUT
    assert bus.units.journal == ["begin", "rollback"]


async def test_a_dry_run_does_all_answers_and_keeps_nothing() -> None:
    async def handle(_: Do) -> str:
        bus.units.track(Thing("1")).change()
        return "done"

    bus = bus_with(handle, transactional(commit_on_success=False))
    assert (await bus.execute_command(Do())).unwrap() == "done"
    assert bus.units.journal == ["begin", "record Happened", "rollback"]
    assert bus.units.events == []


async def test_a_dry_run_is_refused_where_the_commit_would_be() -> None:
    bus = bus_with(lambda _: "done", transactional(commit_on_success=False))
    bus.units.fail_commits(error=ConflictError("No."))
    assert (await bus.execute_command(Do())).status is OperationStatus.CONFLICT
    assert bus.units.journal == ["begin", "rollback"]


async def test_a_dry_run_does_not_commit_despite_an_error_either() -> None:
    bus = bus_with(raising(ConflictError("No.")), transactional(rollback_on=[], commit_on_success=False))
    await bus.execute_command(Do())
    assert bus.units.journal == ["begin", "rollback"]


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ("REPEATABLE_READ", "REPEATABLE READ"),
        ("repeatable read", "REPEATABLE READ"),
        ("SERIALIZABLE", "SERIALIZABLE"),
        ("READ_COMMITTED", "READ COMMITTED"),
    ],
)
async def test_the_isolation_level_is_set_when_the_unit_is_opened(given: str, level: str) -> None:
    bus = bus_with(lambda _: "done", transactional(isolation_level=given))
    await bus.execute_command(Do())
    assert bus.units.journal == [f"begin {level}", "commit"]


async def test_an_operation_inside_joins(cqrs_bus: MemoryBus) -> None:
    async def outer(_: Do) -> str:
        return (await cqrs_bus.execute_command(DoMore())).unwrap()

    cqrs_bus.register(handler_of(Do, outer, transactional("SERIALIZABLE")))
    cqrs_bus.register(handler_of(DoMore, lambda _: "done", transactional("REPEATABLE_READ")))
    assert (await cqrs_bus.execute_command(Do())).unwrap() == "done"
    assert cqrs_bus.units.journal == ["begin SERIALIZABLE", "commit"]
    assert (cqrs_bus.scope.opened, cqrs_bus.scope.closed) == (1, 1)


@pytest.mark.parametrize(
    ("outer", "inner", "fits"),
    [
        (None, None, True),
        (None, "READ_COMMITTED", True),
        (None, "READ_UNCOMMITTED", True),
        (None, "SERIALIZABLE", False),
        ("READ_UNCOMMITTED", "READ_COMMITTED", False),
        ("REPEATABLE_READ", "SERIALIZABLE", False),
        ("SERIALIZABLE", "SERIALIZABLE", True),
    ],
)
async def test_an_operation_inside_needs_no_stronger_level(
    cqrs_bus: MemoryBus, outer: str | None, inner: str | None, fits: bool
) -> None:
    async def handle(_: Do) -> str:
        return (await cqrs_bus.execute_command(DoMore())).unwrap()

    cqrs_bus.register(handler_of(Do, handle, transactional(outer)))
    cqrs_bus.register(handler_of(DoMore, lambda _: "done", transactional(inner)))
    result = await cqrs_bus.execute_command(Do())
    assert result.is_success is fits
    assert ("give the outer handler the stronger level" in str(result.error_message)) is not fits


async def test_a_dry_run_inside_what_is_kept_is_refused(cqrs_bus: MemoryBus) -> None:
    done: list[DoMore] = []
    cqrs_bus.register(handler_of(Do, lambda _: cqrs_bus.execute_command(DoMore()), transactional()))
    cqrs_bus.register(handler_of(DoMore, done.append, transactional(commit_on_success=False)))
    result = await cqrs_bus.execute_command(Do())
    assert result.status is OperationStatus.FAILED
    assert "DoMoreHandler is a dry run, but was dispatched inside a transaction" in str(result.error_message)
    assert done == []


async def test_an_operation_inside_what_has_no_transaction_opens_its_own(cqrs_bus: MemoryBus) -> None:
    async def outer(_: Do) -> str:
        await cqrs_bus.execute_command(DoMore())
        await cqrs_bus.execute_command(DoMore())
        raise BusinessRuleViolationError("Too late.")

    cqrs_bus.register(handler_of(Do, outer))
    cqrs_bus.register(handler_of(DoMore, lambda _: "done", transactional()))
    assert (await cqrs_bus.execute_command(Do())).is_failure
    assert cqrs_bus.units.journal == ["begin", "commit", "begin", "commit"]


@pytest.mark.parametrize("caught", [(), (ConflictError,)])
async def test_a_failure_inside_undoes_all_even_if_it_is_caught(
    cqrs_bus: MemoryBus, caught: tuple[type[Exception], ...]
) -> None:
    async def outer(_: Do) -> str:
        with suppress(*caught):
            await cqrs_bus.execute_command(DoMore())
        return "never"

    cqrs_bus.register(handler_of(Do, outer, transactional()))
    cqrs_bus.register(handler_of(DoMore, raising(ConflictError("No.")), transactional()))
    result = await cqrs_bus.execute_command(Do())
    assert (result.status, result.error_message) == (OperationStatus.CONFLICT, "No.")
    assert cqrs_bus.units.journal == ["begin", "rollback"]


async def test_a_commit_that_fails_fails_the_command_and_keeps_nothing() -> None:
    async def handle(_: Do) -> str:
        bus.units.track(Thing("1")).change()
        return "done"

    bus = bus_with(handle, transactional())
    bus.units.fail_commits(error=ConcurrencyError("Somebody was faster."))
    assert (await bus.execute_command(Do())).status is OperationStatus.CONFLICT
    assert bus.units.journal == ["begin", "record Happened", "rollback"]
    assert bus.units.events == []


async def test_a_reaction_may_have_a_transaction_of_its_own(cqrs_bus: MemoryBus) -> None:
    cqrs_bus.register(handler_of(Happened, lambda _: None, transactional("SERIALIZABLE")))
    await cqrs_bus.publish_event(Happened())
    await cqrs_bus.settled()
    assert cqrs_bus.units.journal == ["begin", "record Happened", "commit", "begin SERIALIZABLE", "commit"]


async def test_a_reaction_inside_joins(cqrs_bus: MemoryBus) -> None:
    async def handle(_: Do) -> None:
        await cqrs_bus.publish_event(Happened())

    cqrs_bus.register(handler_of(Do, handle, transactional()))
    cqrs_bus.register(handler_of(Happened, lambda _: None, transactional(), in_transaction=True))
    await cqrs_bus.execute_command(Do())
    assert cqrs_bus.units.journal == ["begin", "record Happened", "commit"]


async def test_a_database_may_refuse_a_level() -> None:
    class Choosy(MemoryUnitsOfWork):
        def check(self, isolation_level: str) -> None:
            raise PolicyError(f"There is no {isolation_level} here.")

    bus = CQRSBus(unit_of_work=Choosy())
    with pytest.raises(PolicyError, match="There is no SNAPSHOT here"):
        bus.register(handler_of(Do, lambda _: "done", transactional("snapshot")))
    bus.register(handler_of(DoMore, lambda _: "done", transactional()))


@pytest.mark.parametrize(
    ("decorator", "message", "sentence"),
    [
        (transactional(isolation_level="CHAOS"), Do, "DoHandler: CHAOS is no isolation level; there are READ"),
        (transactional(), Ask, "for commands and events"),
    ],
)
@pytest.mark.parametrize("make_bus", [CQRSBus, MemoryBus])
def test_what_cannot_work_is_refused(make_bus: Any, decorator: Any, message: type, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        make_bus().register(handler_of(message, lambda _: None, decorator))


def test_policies_of_all_bases_apply_and_the_first_in_the_method_order_wins() -> None:
    base = transactional("SERIALIZABLE")(handler_of(Do, lambda _: "done"))
    stored: Any = type("Stored", (base,), {})
    guarded: Any = type("Guarded", (base,), {})
    transactional("SNAPSHOT")(stored)
    authorize(["admin:do"])(guarded)
    for bases in ((stored, guarded), (guarded, stored)):
        bus = MemoryBus()
        bus.register_command_handler(Do, type("Both", bases, {}))
        policies = bus.describe()["commands"]["Do"]["policies"]
        assert policies.keys() == {"Transactional", "Authorize"}
        assert policies["Transactional"]["isolation_level"] == "SNAPSHOT"


def test_policies_are_inherited_and_replaced() -> None:
    parent = transactional("SERIALIZABLE")(transactional("READ_COMMITTED")(handler_of(Do, lambda _: "done")))
    bus = MemoryBus()
    bus.register_command_handler(Do, parent)
    assert bus.describe()["commands"]["Do"]["policies"]["Transactional"]["isolation_level"] == "SERIALIZABLE"
    child: Any = type("Child", (parent,), {})
    bus = MemoryBus()
    bus.register_command_handler(Do, child)
    assert bus.describe()["commands"]["Do"]["policies"]["Transactional"]["isolation_level"] == "SERIALIZABLE"
    transactional("SNAPSHOT")(child)
    bus = MemoryBus(allow_handler_override=True)
    for handler, level in ((child, "SNAPSHOT"), (parent, "SERIALIZABLE")):
        bus.register_command_handler(Do, handler)
        assert bus.describe()["commands"]["Do"]["policies"]["Transactional"]["isolation_level"] == level
