"""What is done is told as done, and an event that is published has one way to go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog.testing

from app.composition.container import RunningService
from app.core.cqrs import (
    ConfigurationError,
    CQRSBus,
    OperationStatus,
    ResourceNotFoundError,
    TransientError,
    invalidates,
    retry_on_failure,
    transactional,
)
from app.core.cqrs.testing import MemoryBus, MemoryUnitsOfWork, SimpleScope
from app.persistence.event_tables import event_log
from app.persistence.tables import registrations
from support import given
from support.given import Do, DoPlainly, Look, Noted, write
from support.reports import Reports
from tests.core.cqrs.support import Ask, handler_of, raising
from tests.core.cqrs.support import Do as Order
from tests.rows import events_of, rows_of


class Breaking(SimpleScope):
    """A scope of which something cannot be closed."""

    def __init__(self, how: Any) -> None:
        super().__init__()
        self.how = how

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Any]:
        try:
            yield self
        finally:
            await self.how()


async def fail() -> None:
    raise ZeroDivisionError


async def fail_for_now() -> None:
    raise TransientError("Busy.")


async def refuse() -> None:
    raise ConfigurationError("It cannot be closed.")


async def fail_in_parts() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fail())


async def await_what_was_cancelled() -> None:
    helper = asyncio.create_task(asyncio.Event().wait())
    helper.cancel()
    await helper


CLOSING = [fail, fail_for_now, refuse, fail_in_parts, await_what_was_cancelled]


@pytest.mark.parametrize("how", CLOSING)
async def test_what_cannot_be_closed_after_the_commit_changes_no_answer(how: Any) -> None:
    units, reports = MemoryUnitsOfWork(), Reports()
    bus = CQRSBus(scope=Breaking(how), unit_of_work=units, reports=reports)
    bus.register(handler_of(Order, lambda _: "done", transactional(), retry_on_failure(delay_seconds=0)))
    with structlog.testing.capture_logs() as logs:
        assert (await bus.execute_command(Order())).unwrap() == "done"
    assert units.journal == ["begin", "commit"]
    assert [entry["event"] for entry in logs] == ["closing_failed"]
    assert [name for _, name in reports.heard] == ["Do"]


@pytest.mark.parametrize("how", CLOSING)
async def test_nor_that_of_a_failure(how: Any) -> None:
    bus = CQRSBus(scope=Breaking(how), unit_of_work=MemoryUnitsOfWork())
    bus.register(handler_of(Order, raising(ResourceNotFoundError("Gone.")), transactional()))
    assert (await bus.execute_command(Order())).status is OperationStatus.NOT_FOUND


@pytest.mark.parametrize("how", [fail, fail_for_now, await_what_was_cancelled])
async def test_nor_that_of_a_query(how: Any) -> None:
    bus = CQRSBus(scope=Breaking(how))
    bus.register(handler_of(Ask, lambda _: "found"))
    assert (await bus.execute_query(Ask())).unwrap() == "found"


async def test_what_takes_long_to_close_is_not_late() -> None:
    bus = CQRSBus(scope=Breaking(asyncio.Event().wait), unit_of_work=MemoryUnitsOfWork())
    bus.register(handler_of(Order, lambda _: "done", transactional(), timeout_seconds=0.05))
    assert (await bus.execute_command(Order())).unwrap() == "done"


@pytest.mark.parametrize("how", CLOSING)
async def test_a_cache_that_cannot_be_told_changes_no_answer(how: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus(handler_of(Order, lambda _: "done", transactional(), invalidates("things")))
    monkeypatch.setattr(bus.cache, "invalidate", lambda _: how())
    with structlog.testing.capture_logs() as logs:
        assert (await bus.execute_command(Order())).unwrap() == "done"
    assert [(entry["event"], entry["tags"]) for entry in logs] == [("cache_invalidation_failed", ["things"])]


async def test_a_unit_that_cannot_be_closed_changes_no_answer() -> None:
    units = MemoryUnitsOfWork()
    open_unit = units.open

    def open_breaking(level: str | None) -> Any:
        unit = open_unit(level)
        unit.close = fail  # type: ignore[method-assign]
        return unit

    vars(units)["open"] = open_breaking
    bus = CQRSBus(unit_of_work=units)
    bus.register(handler_of(Order, lambda _: "done", transactional()))
    assert (await bus.execute_command(Order())).unwrap() == "done"


async def test_a_scope_that_is_opened_for_a_nested_handler_shares_the_transaction() -> None:
    """The outer handler is an instance, which needs none."""
    units = MemoryUnitsOfWork()
    bus = CQRSBus(scope=SimpleScope(), unit_of_work=units)
    from tests.core.cqrs.support import DoMore

    outer = handler_of(Order, lambda _: bus.execute_command(DoMore()), transactional())
    bus.register_command_handler(Order, outer())
    bus.register(handler_of(DoMore, lambda _: "done", transactional()))
    assert (await bus.execute_command(Order())).is_success
    assert units.journal == ["begin", "commit"]


# One way for events


@pytest.fixture
def service(given_service: RunningService) -> RunningService:
    """The service with handlers whose bodies are given here."""
    return given_service


@pytest.mark.parametrize("where", ["outside", "command", "reaction"])
async def test_an_event_outside_of_a_transaction_is_in_the_log_and_delivered_from_there(
    service: RunningService, where: str
) -> None:
    heard: list[str] = []
    done = asyncio.Event()

    async def react(_: Any) -> None:
        heard.append("after")
        done.set()

    async def react_inside(handler: Any) -> None:
        heard.append("inside")
        await write(handler)

    given.inside["one"], given.after["one"] = react_inside, react

    async def publish(handler: Any) -> None:
        await handler.bus.publish_event(Noted(key="one"))

    match where:
        case "outside":
            await service.bus.publish_event(Noted(key="one"))
        case "command":
            assert (await service.bus.execute_command(DoPlainly(publish))).is_success
        case _:
            given.after["first"] = publish
            await service.bus.publish_event(Noted(key="first"))
    async with asyncio.timeout(20):
        await done.wait()
    assert heard == ["inside", "after"]
    assert len(await rows_of(service, registrations)) == 1
    assert "Noted" in {row.event_type.rpartition(".")[2] for row in await rows_of(service, event_log)}


async def test_where_a_reaction_inside_fails_nothing_is_published(service: RunningService) -> None:
    async def react(handler: Any) -> None:
        await write(handler)
        raise ResourceNotFoundError("Gone.")

    given.inside["fails"] = react
    with pytest.raises(ResourceNotFoundError):
        await service.bus.publish_event(Noted(key="fails"))
    assert await rows_of(service, event_log) == []
    assert await rows_of(service, registrations) == []


@pytest.mark.parametrize("where", ["outermost", "inside a command", "in a transaction"])
async def test_a_query_publishes_nothing(service: RunningService, where: str) -> None:
    async def publish(handler: Any) -> None:
        await handler.bus.publish_event(Noted(key="one"))

    async def ask(handler: Any) -> None:
        await handler.bus.execute_query(Look(publish))

    match where:
        case "outermost":
            result: Any = await service.bus.execute_query(Look(publish))
        case "inside a command":
            result = await service.bus.execute_command(DoPlainly(ask))
        case _:
            result = await service.bus.execute_command(Do(ask))
    assert "Look is a query and published Noted" in str(result.error_message)
    assert await rows_of(service, event_log) == []


async def test_it_belongs_to_the_operation_it_was_published_in(service: RunningService) -> None:
    async def publish(handler: Any) -> None:
        await handler.bus.publish_event(Noted(key="one"))

    command = DoPlainly(publish)
    command.metadata.user_id = "ada"
    await service.bus.execute_command(command)
    (row,) = await rows_of(service, event_log)
    assert row.metadata["user_id"] == "ada"
    assert row.metadata["correlation_id"] == command.metadata.correlation_id
    assert await events_of(service, "Noted") == []
