"""Doors that stand open, or that nobody can open, are told: at the start, in `describe()`, by the shipped tests."""

from typing import Any

import pytest
import structlog
from sqlalchemy import insert

from app.composition.container import HANDLERS
from app.core.config import Settings
from app.core.cqrs import CQRSBus
from app.persistence.engine.database import Database
from app.persistence.tables import role_permissions
from support import doors
from tests.composition import test_doors
from tests.lifespan import service_with

WITH_DOORS = (HANDLERS, doors.__name__)


async def _granted(database: Database, permission: str) -> None:
    async with database.writing_engine.begin() as connection:
        await connection.execute(insert(role_permissions).values(role="member", permission=permission))


@pytest.fixture
async def started(settings: Settings, database: Database) -> tuple[dict[str, Any], list[Any]]:
    """What a service with those doors says of itself, and what it logs."""
    await _granted(database, "diary:write:own")
    with structlog.testing.capture_logs() as logs:
        async with service_with(settings, WITH_DOORS) as service:
            return service.bus.describe(), list(logs)


async def test_the_start_names_who_is_open_and_what_no_role_has(started: tuple[dict[str, Any], list[Any]]) -> None:
    _, logs = started
    told = {entry["event"]: entry for entry in logs}
    opened = told["open_handlers_found"]
    assert {"OpenSafeHandler", "CountMoneyHandler", "BurnBooksHandler"} <= set(opened["handlers"])
    assert "ReadLedgerHandler" not in opened["handlers"]
    assert opened["count"] == len(opened["handlers"])
    missing = told["permissions_not_granted"]
    assert missing["log_level"] == "warning"
    assert missing["permissions"] == {
        "ReadLedgerHandler": ["user:raed"],
        "ChangeLedgerHandler": ["ledger:change:own"],
        "ChangeEverythingHandler": ["diary:write"],
    }
    assert "grant them to a role in a migration" in missing["hint"]


async def test_describe_says_it_of_each_message(started: tuple[dict[str, Any], list[Any]]) -> None:
    described, _ = started
    commands, queries = described["commands"], described["queries"]
    assert [commands[name]["open_to_everybody"] for name in ("OpenSafe", "BurnBooks", "ChangeLedger")] == [
        True,
        True,
        False,
    ]
    assert [queries[name]["open_to_everybody"] for name in ("CountMoney", "ReadLedger")] == [True, False]


async def test_a_permission_that_was_granted_is_not_told(settings: Settings, database: Database) -> None:
    for permission in ("user:raed", "ledger:change:own", "diary:write"):
        await _granted(database, permission)
    with structlog.testing.capture_logs() as logs:
        async with service_with(settings, WITH_DOORS):
            pass
    assert "permissions_not_granted" not in [entry["event"] for entry in logs]


async def test_the_shipped_tests_notice(settings: Settings, database: Database) -> None:
    async with service_with(settings, WITH_DOORS) as service:
        for name in ("OpenSafeHandler", "CountMoneyHandler", "BurnBooksHandler"):
            with pytest.raises(
                pytest.fail.Exception, match=rf"{name} has no @authorize: .*\n?.*tests/open_handlers\.py"
            ):
                await test_doors.test_only_handlers_that_are_meant_to_be_are_open_to_everybody(service.bus)
        with pytest.raises(AssertionError, match="No role has these: only administrators may do this"):
            await test_doors.test_each_permission_is_one_that_a_role_has(service.bus, database)


async def test_who_is_on_the_list_and_not_open_any_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_doors, "listed", lambda: {"LoginHandler": "the password"})
    with pytest.raises(pytest.fail.Exception, match="LoginHandler is not open to everybody any more, or gone: take it"):
        await test_doors.test_only_handlers_that_are_meant_to_be_are_open_to_everybody(CQRSBus())
