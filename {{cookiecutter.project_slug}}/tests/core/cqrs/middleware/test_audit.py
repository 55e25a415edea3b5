from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest

from app.core.cqrs import ConflictError, ICommand
from app.core.cqrs.middleware.audit import AuditTrail
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, handler_of, raising, sent_by


@dataclass
class ChangePassword(ICommand[str]):
    user_id: str
    password: str

    def get_aggregate_id(self) -> str:
        return self.user_id


@pytest.mark.parametrize(
    ("work", "outcome"),
    [(lambda _: "done", "success"), (raising(ConflictError("No.")), "error")],
    ids=["done", "failed"],
)
async def test_who_ordered_what_and_how_it_ended(logs: list[MutableMapping[str, Any]], work: Any, outcome: str) -> None:
    bus = MemoryBus(handler_of(ChangePassword, work), handler_of(Ask, lambda _: "x"))
    bus.add_middleware(AuditTrail)
    async with bus:
        command = sent_by("ada", ChangePassword("7", "secret"), source="http")
        await bus.execute_command(command)
        await bus.execute_query(Ask())
    assert logs == [
        {
            "event": "command",
            "log_level": "info",
            "message_name": "ChangePassword",
            "aggregate_id": "7",
            "user_id": "ada",
            "operation_id": command.metadata.operation_id,
            "source": "http",
            "outcome": outcome,
        }
    ], "one line, for the command alone, and nothing of its fields"
