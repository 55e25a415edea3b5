"""Bugs reach who is told about them, once; what is refused does not."""

from collections.abc import Callable
from typing import Any

import pytest

from app.core.cqrs import (
    CommandResult,
    ConfigurationError,
    ConflictError,
    OperationMetadata,
    ServiceUnavailableError,
)
from app.core.cqrs.testing import MemoryBus
from app.core.observability.error_reports import ReportFailures
from tests.core.cqrs.support import Ask, Do, DoMore, handler_of, raising


class Noted:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.reported: list[tuple[BaseException, str, OperationMetadata]] = []

    def report(self, error: BaseException, name: str, metadata: OperationMetadata) -> None:
        self.reported.append((error, name, metadata))


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
def bus_with(noted: Noted) -> Callable[..., MemoryBus]:
    def make(*handlers: Any) -> MemoryBus:
        bus = MemoryBus(*handlers)
        bus.add_middleware(ReportFailures(reports=noted))
        return bus

    return make


@pytest.mark.parametrize("error", [ZeroDivisionError(), ConfigurationError("It is put together wrongly.")])
@pytest.mark.parametrize("message", [Do(), Ask()], ids=["command", "query"])
async def test_a_bug_is_reported(
    noted: Noted, bus_with: Callable[..., MemoryBus], message: Any, error: Exception
) -> None:
    await bus_with(handler_of(type(message), raising(error))).execute(message)
    assert noted.reported == [(error, type(message).__name__, message.metadata)]


async def test_so_is_a_result_that_says_failed(noted: Noted, bus_with: Callable[..., MemoryBus]) -> None:
    class Handler(handler_of(Do, lambda _: None)):  # type: ignore[misc]
        async def _handle(self, _: Do) -> CommandResult[str]:
            return self.internal_server_error("Broken.")  # type: ignore[no-any-return]

    bus = bus_with()
    bus.register_command_handler(Do, Handler)
    await bus.execute_command(Do())
    ((error, name, _),) = noted.reported
    assert (str(error), name) == ("Broken.", "Do")


@pytest.mark.parametrize(
    "work",
    [
        lambda _: "done",
        lambda _: CommandResult[str].not_found("No."),
        raising(ConflictError("No.")),
        raising(ServiceUnavailableError("Not now.")),
    ],
    ids=["done", "returned", "refused", "unavailable"],
)
async def test_what_is_no_bug_is_not_reported(noted: Noted, bus_with: Callable[..., MemoryBus], work: Any) -> None:
    await bus_with(handler_of(Do, work)).execute_command(Do())
    assert noted.reported == []


async def test_a_bug_further_in_is_reported_once(noted: Noted, bus_with: Callable[..., MemoryBus]) -> None:
    bus = bus_with(handler_of(DoMore, raising(ZeroDivisionError())))
    bus.register(handler_of(Do, lambda _: bus.execute_command(DoMore())))
    await bus.execute_command(Do())
    assert [name for _, name, _ in noted.reported] == ["Do"]
