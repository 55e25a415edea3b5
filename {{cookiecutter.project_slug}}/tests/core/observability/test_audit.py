import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest

from app.core.cqrs import CommandResult, ConflictError, ICommand
from app.core.cqrs.testing import MemoryBus
from app.core.observability.audit import AuditTrail
from tests.core.cqrs.support import Ask, Do, DoMore, forever, handler_of, raising, sent_by


@dataclass
class ChangePassword(ICommand[str]):
    user_id: str
    password: str

    def get_aggregate_id(self) -> str:
        return self.user_id


@pytest.mark.parametrize(
    ("work", "outcome"),
    [
        (lambda _: "done", "success"),
        (lambda _: CommandResult[str].not_found("No."), "not_found"),
        (raising(ConflictError("No.")), "conflict"),
        (raising(ZeroDivisionError()), "failed"),
    ],
    ids=["done", "returned", "refused", "bug"],
)
async def test_who_ordered_what_and_how_it_ended(logs: list[MutableMapping[str, Any]], work: Any, outcome: str) -> None:
    bus = MemoryBus(handler_of(ChangePassword, work), handler_of(Ask, lambda _: "x"))
    bus.add_middleware(AuditTrail)
    async with bus:
        command = sent_by("ada", ChangePassword("7", "secret"), source="http", correlation_id="request 7")
        await bus.execute_command(command)
        await bus.execute_query(Ask())
    assert [entry for entry in logs if entry["event"] != "operation_failed"] == [
        {
            "event": "command",
            "log_level": "info",
            "message_name": "ChangePassword",
            "aggregate_id": "7",
            "user_id": "ada",
            "operation_id": command.metadata.operation_id,
            "source": "http",
            "correlation_id": "request 7",
            "causation_id": None,
            "outcome": outcome,
        }
    ], "one line, for the command alone, and nothing of its fields"


async def test_one_that_was_cancelled_says_so(logs: list[MutableMapping[str, Any]]) -> None:
    begun = asyncio.Event()

    async def wait(_: Do) -> None:
        begun.set()
        await forever()

    bus = MemoryBus(handler_of(Do, wait))
    bus.add_middleware(AuditTrail())
    task = asyncio.create_task(bus.execute_command(Do()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert logs[0]["outcome"] == "cancelled"


async def test_what_another_command_sent_names_it(logs: list[MutableMapping[str, Any]]) -> None:
    bus = MemoryBus(handler_of(Do, lambda _: bus.execute_command(DoMore())), handler_of(DoMore, lambda _: "x"))
    bus.add_middleware(AuditTrail())
    outer = Do()
    await bus.execute_command(outer)
    inner = next(entry for entry in logs if entry["message_name"] == "DoMore")
    assert inner["causation_id"] == outer.metadata.operation_id


async def test_a_command_that_cannot_name_its_aggregate_is_done_all_the_same(
    logs: list[MutableMapping[str, Any]],
) -> None:
    @dataclass
    class Careless(ICommand[str]):
        def get_aggregate_id(self) -> str:
            raise ZeroDivisionError

    bus = MemoryBus(handler_of(Careless, lambda _: "x"))
    bus.add_middleware(AuditTrail())
    assert (await bus.execute_command(Careless())).is_success
    assert logs[0]["aggregate_id"] is None
