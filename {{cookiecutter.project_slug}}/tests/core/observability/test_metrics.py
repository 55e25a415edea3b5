from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.core.cqrs import CommandResult, ConflictError, ICommand
from app.core.cqrs.testing import MemoryBus
from app.core.observability import metrics
from app.core.observability.metrics import measure
from tests.core.cqrs.support import handler_of, raising


def counted(message: str, status: str) -> float:
    labels = {"message": message, "status": status}
    return REGISTRY.get_sample_value("cqrs_operation_duration_seconds_count", labels) or 0.0


@pytest.mark.parametrize(
    ("work", "status"),
    [
        (lambda _: "done", "success"),
        (lambda _: CommandResult[str].not_found("No."), "not_found"),
        (raising(ConflictError("No.")), "conflict"),
        (raising(ZeroDivisionError()), "failed"),
    ],
)
async def test_operations_are_counted_by_message_and_outcome(work: Any, status: str) -> None:
    @dataclass
    class Measured(ICommand[str]):
        pass

    bus = MemoryBus(handler_of(Measured, work))
    bus.add_middleware(measure)
    before = counted("Measured", status)
    for _ in range(2):
        await bus.execute_command(Measured())
    assert counted("Measured", status) == before + 2


async def test_it_is_measured_how_long_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Timed(ICommand[str]):
        pass

    bus = MemoryBus(handler_of(Timed, lambda _: "done"))
    bus.add_middleware(measure)
    monkeypatch.setattr(metrics, "perf_counter", iter([10.0, 10.75, 20.0, 22.0]).__next__)
    for _ in range(2):
        await bus.execute_command(Timed())
    labels = {"message": "Timed", "status": "success"}
    assert REGISTRY.get_sample_value("cqrs_operation_duration_seconds_sum", labels) == 2.75
    assert REGISTRY.get_sample_value("cqrs_operation_duration_seconds_bucket", {**labels, "le": "1.0"}) == 1
