from collections.abc import MutableMapping
from typing import Any

import pytest

from app.core.cqrs import CommandResult, ConflictError, OperationStatus, ServiceUnavailableError
from app.core.cqrs.testing import MemoryBus
from app.core.observability.logging import log_outcome
from tests.core.cqrs.support import Do, handler_of, raising, sent_by

Logs = list[MutableMapping[str, Any]]


def bus_with(work: Any) -> MemoryBus:
    bus = MemoryBus(handler_of(Do, work))
    bus.add_middleware(log_outcome)
    return bus


async def test_what_went_well_is_not_worth_a_line(logs: Logs) -> None:
    assert (await bus_with(lambda _: "done").execute_command(Do())).is_success
    assert logs == []


@pytest.mark.parametrize(
    ("work", "level", "status", "error_type"),
    [
        (raising(ConflictError("Taken.")), "info", "conflict", "ConflictError"),
        (lambda _: CommandResult[str].failure(OperationStatus.CONFLICT, {}, "Taken."), "info", "conflict", None),
        (raising(ServiceUnavailableError("Taken.")), "warning", "unavailable", "ServiceUnavailableError"),
    ],
    ids=["raised", "returned", "unavailable"],
)
async def test_what_was_refused_is_one_line(
    logs: Logs, work: Any, level: str, status: str, error_type: str | None
) -> None:
    command = sent_by("ada", Do(), correlation_id="request 7")
    await bus_with(work).execute_command(command)
    assert logs == [
        {
            "event": "operation_refused",
            "log_level": level,
            "message_name": "Do",
            "status": status,
            "error_type": error_type,
            "reason": "Taken.",
            "operation_id": command.metadata.operation_id,
            "correlation_id": "request 7",
            "user_id": "ada",
        }
    ]


async def test_a_bug_is_left_to_the_error_boundary(logs: Logs) -> None:
    await bus_with(raising(ZeroDivisionError())).execute_command(Do())
    assert [entry["event"] for entry in logs] == ["operation_failed"]
