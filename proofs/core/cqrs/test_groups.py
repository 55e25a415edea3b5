"""A group of errors that stands for one acts as that one, and a cancellation of something else never gets out."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import structlog.testing

from app.core.cqrs import (
    AuthenticationError,
    BusinessRuleViolationError,
    CommandResult,
    ConcurrencyError,
    ConflictError,
    CQRSBus,
    CQRSError,
    OperationStatus,
    ResourceNotFoundError,
    TransientError,
    retry_on_failure,
    transactional,
)
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, handler_of


def group(*errors: Exception) -> ExceptionGroup[Exception]:
    """What a task group raises."""
    return ExceptionGroup("unhandled errors in a TaskGroup", list(errors))


async def fail_in_parts(*errors: Exception) -> None:
    """Tasks of a group that fail."""

    async def part(error: Exception) -> None:
        raise error

    async with asyncio.TaskGroup() as parts:
        for error in errors:
            parts.create_task(part(error))


Make = Callable[[Any], Any]
NESTED: dict[str, Make] = {
    "group": lambda error: group(error),
    "group of groups": lambda error: group(group(group(error))),
    "several alike": lambda error: group(error, group(type(error)("Another."))),
}


@pytest.mark.parametrize("nest", NESTED)
@pytest.mark.parametrize("instance", [False, True], ids=["class", "instance"])
@pytest.mark.parametrize("with_middleware", [False, True])
async def test_a_group_has_the_status_of_its_error(nest: str, instance: bool, with_middleware: bool) -> None:
    def handle(_: Do) -> None:
        raise NESTED[nest](ResourceNotFoundError("Gone."))

    seen: list[type] = []

    async def look(_: Any, next_handler: Any) -> Any:
        try:
            return await next_handler()
        except CQRSError as error:
            seen.append(type(error))
            raise

    bus, handler = CQRSBus(), handler_of(Do, handle)
    bus.register_command_handler(Do, handler() if instance else handler)
    if with_middleware:
        bus.add_middleware(look)
    result = await bus.execute_command(Do())
    assert (result.status, result.error_message) == (OperationStatus.NOT_FOUND, "Gone.")
    assert seen == [ResourceNotFoundError] * with_middleware


async def test_so_has_that_of_a_query_and_of_a_real_task_group() -> None:
    bus = MemoryBus(handler_of(Ask, lambda _: fail_in_parts(ResourceNotFoundError("Gone."))))
    assert (await bus.execute_query(Ask())).status is OperationStatus.NOT_FOUND


@pytest.mark.parametrize("error", [TransientError("Busy."), ConcurrencyError("Changed.")])
@pytest.mark.parametrize("nest", NESTED)
async def test_a_group_is_tried_again_as_its_error_is(nest: str, error: Exception) -> None:
    tries: list[int] = []

    def handle(_: Do) -> str:
        tries.append(1)
        if len(tries) == 1:
            raise NESTED[nest](error)
        return "done"

    bus = MemoryBus(handler_of(Do, handle, transactional(), retry_on_failure(delay_seconds=0)))
    assert (await bus.execute_command(Do())).unwrap() == "done"
    assert bus.units.journal == ["begin", "rollback", "begin", "commit"]


@pytest.mark.parametrize(
    ("raised", "kept"),
    [
        (group(AuthenticationError("No.")), True),
        (group(group(AuthenticationError("No."), AuthenticationError("No."))), True),
        (group(BusinessRuleViolationError("No.")), False),
        (group(AuthenticationError("No."), BusinessRuleViolationError("No.")), False),
        (group(AuthenticationError("No."), ZeroDivisionError()), False),
    ],
)
async def test_a_group_rolls_back_as_its_error_does(raised: Exception, kept: bool) -> None:
    def handle(_: Do) -> None:
        raise raised

    bus = MemoryBus(handler_of(Do, handle, transactional(rollback_on=[BusinessRuleViolationError])))
    assert (await bus.execute_command(Do())).is_failure
    assert bus.units.journal == ["begin", "commit" if kept else "rollback"]


async def test_inside_a_handler_the_error_itself_is_raised() -> None:
    caught: list[str] = []

    async def outer(_: Do) -> str:
        try:
            await bus.execute_command(DoMore())
        except ResourceNotFoundError as error:
            caught.append(error.message)
        return "done"

    inner = handler_of(DoMore, lambda _: fail_in_parts(ResourceNotFoundError("Gone.")))
    for registered in (inner, inner()):
        bus = CQRSBus()
        bus.register(handler_of(Do, outer))
        bus.register_command_handler(DoMore, registered)
        assert (await bus.execute_command(Do())).is_success
    assert caught == ["Gone."] * 2


@pytest.mark.parametrize(
    ("errors", "worst"),
    [
        ([ResourceNotFoundError("a"), ZeroDivisionError("b"), ConflictError("c")], OperationStatus.FAILED),
        ([ResourceNotFoundError("a"), ConflictError("b")], OperationStatus.CONFLICT),
        ([ConflictError("a"), ResourceNotFoundError("b"), TransientError("c")], OperationStatus.UNAVAILABLE),
        ([AuthenticationError("a"), BusinessRuleViolationError("b")], OperationStatus.BUSINESS_RULE),
    ],
)
async def test_of_several_the_most_severe_counts_in_any_order(errors: list[Any], worst: OperationStatus) -> None:
    for order in (errors, errors[::-1]):
        bus = CQRSBus()

        def handle(_: Do, order: Any = order) -> None:
            raise group(*order)

        bus.register(handler_of(Do, handle))
        assert (await bus.execute_command(Do())).status is worst


async def test_a_final_conflict_counts_before_one_that_may_pass() -> None:
    tries: list[int] = []

    def handle(_: Do) -> None:
        tries.append(1)
        raise group(ConcurrencyError("Changed."), ConflictError("Taken."))

    bus = CQRSBus()
    bus.register(handler_of(Do, handle, retry_on_failure(delay_seconds=0)))
    result = await bus.execute_command(Do())
    assert (result.error_message, len(tries)) == ("Taken.", 1)


async def test_the_others_are_noted_in_the_log() -> None:
    def handle(_: Do) -> None:
        raise group(ResourceNotFoundError("Gone."), ZeroDivisionError("by nothing"))

    bus = CQRSBus()
    bus.register(handler_of(Do, handle))
    with structlog.testing.capture_logs() as logs:
        await bus.execute_command(Do())
    (failed,) = [entry for entry in logs if entry["event"] == "operation_failed"]
    assert isinstance(failed["exc_info"], ZeroDivisionError)
    assert failed["exc_info"].__notes__ == ["At the same time: ResourceNotFoundError: Gone."]


async def test_a_reaction_inside_acts_so_too() -> None:
    bus = MemoryBus(
        handler_of(Do, lambda _: bus.publish_event(Happened()), transactional()),
        handler_of(Happened, lambda _: fail_in_parts(ResourceNotFoundError("Gone.")), in_transaction=True),
    )
    assert (await bus.execute_command(Do())).status is OperationStatus.NOT_FOUND


# Cancellations of something else


async def await_what_was_cancelled(_: Any) -> None:
    """A helper was cancelled."""
    helper = asyncio.create_task(asyncio.Event().wait())
    helper.cancel()
    await helper


async def await_a_group_with_one(_: Any) -> None:
    """And somebody packed that."""
    raise BaseExceptionGroup("parts", [asyncio.CancelledError()])


@pytest.mark.parametrize("handle", [await_what_was_cancelled, await_a_group_with_one])
@pytest.mark.parametrize("instance", [False, True], ids=["class", "instance"])
@pytest.mark.parametrize("decorators", [(), (transactional(),), (retry_on_failure(delay_seconds=0),)])
async def test_it_is_a_bug_and_no_escape(handle: Any, instance: bool, decorators: Any) -> None:
    bus, handler = MemoryBus(), handler_of(Do, handle, *decorators)
    bus.register_command_handler(Do, handler() if instance else handler)
    result = await bus.execute_command(Do())
    assert result.status is OperationStatus.FAILED
    assert "commit" not in bus.units.journal


async def test_nor_out_of_a_query_a_nested_command_or_an_event() -> None:
    bus = CQRSBus()
    bus.register(handler_of(Ask, await_what_was_cancelled))
    bus.register(handler_of(Do, lambda _: bus.execute_command(DoMore())))
    bus.register_command_handler(DoMore, handler_of(DoMore, await_what_was_cancelled)())
    bus.register_event_handler(Happened, handler_of(Happened, await_what_was_cancelled)())
    assert (await bus.execute_query(Ask())).status is OperationStatus.FAILED
    assert (await bus.execute_command(Do())).status is OperationStatus.FAILED
    with pytest.raises(ExceptionGroup):
        await bus.publish_event(Happened())


async def test_a_hook_that_awaits_what_was_cancelled_fails_nothing() -> None:
    async def tell(_: Any, command: Do, __: str) -> None:
        await await_what_was_cancelled(command)

    bus = MemoryBus(handler_of(Do, lambda _: "done", _get_affected_entities=tell))
    assert (await bus.execute_command(Do())).unwrap() == "done"


@pytest.mark.parametrize("decorators", [(), (transactional(),)])
async def test_who_is_cancelled_is_cancelled(decorators: Any) -> None:
    begun = asyncio.Event()

    async def wait(_: Do) -> None:
        begun.set()
        await asyncio.Event().wait()

    bus = MemoryBus(handler_of(Do, wait, *decorators))
    task = asyncio.create_task(bus.execute_command(Do()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deadline_is_one_all_the_same() -> None:
    async def parts(_: Do) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())

    bus: CQRSBus = MemoryBus()
    bus.register(handler_of(Do, parts, timeout_seconds=0.02))
    result: CommandResult[str] = await bus.execute_command(Do())
    assert result.status is OperationStatus.TIMEOUT
    with suppress(CQRSError):
        result.unwrap()
