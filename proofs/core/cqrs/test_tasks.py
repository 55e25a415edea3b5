"""Tasks that a handler starts: what they may do while its transaction is open, and what goes on when it is over."""

import asyncio
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import structlog.testing

from app.composition.container import RunningService
from app.core.cqrs import (
    BusinessRuleViolationError,
    ConfigurationError,
    ConflictError,
    CQRSBus,
    IQuery,
    OperationStatus,
    TransientError,
    background,
    retry_on_failure,
    transactional,
)
from app.core.cqrs.testing import MemoryBus
from app.persistence.event_tables import event_log
from app.persistence.tables import registrations
from support.given import Do, DoPart, DoPlainly, Look, Noted, write
from support.reports import Reports
from tests.core.cqrs.support import PATIENCE, Ask, DoMore, handler_of, sent_by, within_patience
from tests.core.cqrs.support import Do as Order
from tests.rows import rows_of


@dataclass
class AskMore(IQuery[str]):
    """A part of what is asked."""


@pytest.fixture
def service(given_service: RunningService) -> RunningService:
    """The service with handlers whose bodies are given here."""
    return given_service


async def bounded(sending: Any) -> Any:
    """On 3.11 this is a task of its own, and from 3.12 on it is none."""
    return await asyncio.wait_for(sending, 8)


async def gathered(sending: Any) -> Any:
    return await asyncio.gather(sending, return_exceptions=True)


async def grouped(sending: Any) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(sending)


WAYS: dict[str, Any] = {
    "gather": gathered,
    "TaskGroup": grouped,
    "shield": asyncio.shield,
    "create_task": asyncio.ensure_future,
}
if sys.version_info < (3, 12):
    WAYS["wait_for"] = bounded


@pytest.mark.parametrize("what", ["command", "event"])
@pytest.mark.parametrize("way", WAYS)
async def test_what_cannot_join_the_transaction_is_refused(service: RunningService, way: str, what: str) -> None:
    async def body(handler: Any) -> str:
        await write(handler)
        event = Noted(key="part")
        sending = handler.bus.execute_command(DoPart(write)) if what == "command" else handler.bus.publish_event(event)
        with suppress(Exception):
            await WAYS[way](sending)
        return "done"

    result = await service.bus.execute_command(Do(body))
    assert result.status is OperationStatus.FAILED
    assert "background(...)" in str(result.error_message)
    assert await rows_of(service, registrations) == []
    assert await rows_of(service, event_log) == []


async def test_in_the_task_of_the_handler_a_bound_is_kept(service: RunningService) -> None:
    async def body(handler: Any) -> None:
        async with asyncio.timeout(8):
            await handler.bus.execute_command(DoPart(write))
        if sys.version_info >= (3, 12):
            await asyncio.wait_for(handler.bus.execute_command(DoPart(write)), 8)
        raise BusinessRuleViolationError("No.")

    assert (await service.bus.execute_command(Do(body))).is_failure
    assert await rows_of(service, registrations) == []


async def test_a_task_of_a_nested_command_cannot_either(service: RunningService) -> None:
    """It was started by a dispatch that is over, inside one that is not."""
    tasks: list[asyncio.Task[Any]] = []

    async def part(handler: Any) -> None:
        bus, begun = handler.bus, asyncio.Event()

        async def later() -> None:
            await may_go.wait()
            await bus.execute_command(DoPart(write))

        tasks.append(asyncio.create_task(later()))
        begun.set()

    async def body(handler: Any) -> str:
        await handler.bus.execute_command(DoPart(part))
        may_go.set()
        await asyncio.wait(tasks)
        return "done"

    may_go = asyncio.Event()
    result = await service.bus.execute_command(Do(body))
    assert "A task of its own dispatched DoPart" in str(result.error_message)
    assert isinstance(tasks[0].exception(), ConfigurationError)
    assert await rows_of(service, registrations) == []


async def test_a_task_that_outlives_the_operation_is_an_operation_of_its_own(service: RunningService) -> None:
    tasks: list[asyncio.Task[Any]] = []
    over = asyncio.Event()

    async def body(handler: Any) -> str:
        bus = handler.bus

        async def later() -> Any:
            await over.wait()
            return await bus.execute_command(DoPart(write))

        tasks.append(asyncio.create_task(later()))
        return "done"

    assert (await service.bus.execute_command(Do(body))).is_success
    over.set()
    assert (await tasks[0]).is_success
    assert len(await rows_of(service, registrations)) == 1


async def test_queries_run_side_by_side(service: RunningService) -> None:
    async def look(handler: Any) -> int:
        return len((await handler.session.execute(registrations.select())).all())

    async def body(handler: Any) -> list[int]:
        found = await asyncio.gather(*(handler.bus.execute_query(Look(look)) for _ in range(3)))
        return [result.unwrap() for result in found]

    for command in (Do(body), DoPlainly(body)):
        assert (await service.bus.execute_command(command)).unwrap() == [0, 0, 0]


async def test_without_a_transaction_each_is_one_of_its_own(service: RunningService) -> None:
    async def body(handler: Any) -> list[bool]:
        results = await asyncio.gather(*(handler.bus.execute_command(DoPart(write)) for _ in range(3)))
        return [result.is_success for result in results]

    assert (await service.bus.execute_command(DoPlainly(body))).unwrap() == [True] * 3
    assert len(await rows_of(service, registrations)) == 3


@pytest.mark.parametrize("what", ["command", "event"])
async def test_a_task_of_a_query_changes_nothing_either(service: RunningService, what: str) -> None:
    async def body(handler: Any) -> None:
        event = Noted(key="part")
        sending = handler.bus.execute_command(DoPart(write)) if what == "command" else handler.bus.publish_event(event)
        await asyncio.create_task(sending)

    result = await service.bus.execute_query(Look(body))
    assert "a query changes nothing" in str(result.error_message)
    assert await rows_of(service, registrations) == []
    assert await rows_of(service, event_log) == []


# What outlives the operation


async def test_in_the_background_it_is_an_operation_of_its_own(service: RunningService) -> None:
    ended = asyncio.Event()

    async def later(handler: Any) -> None:
        await write(handler)
        ended.set()

    async def body(handler: Any) -> None:
        background(handler.bus.execute_command(DoPart(later)))
        raise BusinessRuleViolationError("No.")

    service.bus.background_seconds = PATIENCE
    assert (await service.bus.execute_command(Do(body))).status is OperationStatus.BUSINESS_RULE
    await within_patience(ended.wait())
    await within_patience(service.bus.aclose())
    assert len(await rows_of(service, registrations)) == 1


async def test_it_is_tried_again_and_speaks_for_the_same_caller() -> None:
    tries: list[Any] = []

    def more(command: DoMore) -> str:
        tries.append(command.metadata)
        if len(tries) == 1:
            raise TransientError("Busy.")
        return "done"

    bus = MemoryBus(
        handler_of(Order, lambda _: background(bus.execute_command(DoMore())), transactional()),
        handler_of(DoMore, more, transactional(), retry_on_failure(delay_seconds=0)),
    )
    order = sent_by("ada", Order())
    await bus.execute_command(order)
    await within_patience(bus.aclose())
    assert len(tries) == 2
    assert (tries[0].user_id, tries[0].causation_id) == ("ada", order.metadata.operation_id)


async def test_a_bus_that_ends_lets_the_tasks_of_a_query_send() -> None:
    is_closed = asyncio.Event()

    async def gather(_: Ask) -> str:
        await is_closed.wait()
        found = await asyncio.gather(*(bus.execute_query(AskMore()) for _ in range(2)))
        return " ".join(str(one.unwrap()) for one in found)

    bus = MemoryBus(handler_of(Ask, gather), handler_of(AskMore, lambda _: "found"))
    asking = asyncio.create_task(bus.execute_query(Ask()))
    await asyncio.sleep(0)
    bus.shutdown()
    is_closed.set()
    assert (await within_patience(asking)).unwrap() == "found found"
    assert (await bus.execute_query(AskMore())).status is OperationStatus.UNAVAILABLE


async def test_a_bus_that_ends_waits_for_it_and_lets_it_send(service: RunningService) -> None:
    may_go = asyncio.Event()

    async def later(bus: CQRSBus) -> None:
        await may_go.wait()
        await bus.execute_command(DoPart(write))
        await bus.publish_event(Noted(key="late"))

    async def body(handler: Any) -> None:
        background(later(handler.bus))

    service.bus.background_seconds = PATIENCE
    await service.bus.execute_command(Do(body))
    closing = asyncio.create_task(service.bus.aclose())
    await asyncio.sleep(0)
    assert (await service.bus.execute_command(Do(write))).status is OperationStatus.UNAVAILABLE
    may_go.set()
    await within_patience(closing)
    assert len(await rows_of(service, registrations)) == 1
    assert len(await rows_of(service, event_log)) == 1


async def test_a_bus_that_ends_does_not_wait_forever_and_half_of_it_is_not_stored(service: RunningService) -> None:
    wrote = asyncio.Event()

    async def later(handler: Any) -> None:
        await write(handler)
        wrote.set()
        await asyncio.Event().wait()

    async def body(handler: Any) -> None:
        background(handler.bus.execute_command(DoPart(later)))

    await service.bus.execute_command(Do(body))
    await within_patience(wrote.wait())
    service.bus.background_seconds = 0
    await within_patience(service.bus.aclose())
    assert await rows_of(service, registrations) == []


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ConflictError("No."), ConflictError),
        (ZeroDivisionError(), ZeroDivisionError),
        (asyncio.CancelledError(), RuntimeError),
        (ExceptionGroup("Two failed.", [ConflictError("No."), ConflictError("No.")]), ConflictError),
    ],
)
async def test_a_failure_of_it_is_logged_and_reported(raised: BaseException, told: type) -> None:
    async def later() -> None:
        raise raised

    reports = Reports()
    bus = CQRSBus(reports=reports)
    bus.register(handler_of(Order, lambda _: background(later())))
    with structlog.testing.capture_logs() as logs:
        assert (await bus.execute_command(Order())).is_success
        await within_patience(bus.aclose())
    assert failures_in(logs) == [told.__name__]
    assert reports.heard == [(told, "Do")]


async def test_so_is_a_failed_result() -> None:
    bus = CQRSBus()
    bus.register(handler_of(Order, lambda _: background(bus.execute_command(DoMore()))))

    def refuse(_: DoMore) -> None:
        raise ConflictError("No.")

    bus.register(handler_of(DoMore, refuse))
    with structlog.testing.capture_logs() as logs:
        await bus.execute_command(Order())
        await within_patience(bus.aclose())
    assert failures_in(logs) == ["ConflictError"]


def failures_in(logs: list[MutableMapping[str, Any]]) -> list[str]:
    """What failed in the background."""
    return [entry["error_type"] for entry in logs if entry["event"] == "background_failed"]


async def test_elsewhere_nobody_would_wait_for_it() -> None:
    bus = CQRSBus()
    bus.register(handler_of(DoMore, lambda _: None))
    with pytest.raises(ConfigurationError, match="for handlers"):
        background(bus.execute_command(DoMore()))
