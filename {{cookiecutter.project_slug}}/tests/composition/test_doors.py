"""Who may do what in this service: nobody gets in by an oversight, and nobody is kept out by a typo."""

from importlib import import_module
from pathlib import Path

import pytest
import structlog

from app.composition.container import running_service
from app.composition.doors import HINT, open_handlers, permissions_of_nobody
from app.core.config import Settings
from app.core.cqrs import CQRSBus
from app.persistence.access import permissions_of_roles
from app.persistence.engine.database import Database

TESTS = Path(__file__).parents[1]
ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def listed() -> dict[str, str]:
    """Handler -> why everybody may have it run."""
    lists = [import_module(f"tests.{path.stem}").OPEN for path in sorted(TESTS.glob("*open_handlers.py"))]
    return {handler: reason for each in lists for handler, reason in each.items()}


@ON_SQLITE
async def test_only_handlers_that_are_meant_to_be_are_open_to_everybody(bus: CQRSBus) -> None:
    found, meant = set(open_handlers(bus.describe())), listed()
    problems = [
        f"{handler} has no @authorize: whoever reaches the bus may have it run. Give it one, or put it on the list in "
        "tests/open_handlers.py, with the reason why it is for everybody."
        for handler in sorted(found - meant.keys())
    ]
    problems += [
        f"{handler} is not open to everybody any more, or gone: take it from the list in tests/open_handlers.py."
        for handler in sorted(meant.keys() - found)
    ]
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
    assert all(meant.values()), "each has its reason"


@ON_SQLITE
async def test_each_permission_is_one_that_a_role_has(bus: CQRSBus, database: Database) -> None:
    missing = permissions_of_nobody(bus.describe(), await permissions_of_roles(database))
    assert missing == {}, f"No role has these: {HINT}."


@ON_SQLITE
async def test_the_start_tells_how_many_are_open_and_which(settings: Settings) -> None:
    with structlog.testing.capture_logs() as logs:
        async with running_service(settings) as service:
            found = open_handlers(service.bus.describe())
    (told,) = [entry for entry in logs if entry["event"] == "open_handlers_found"]
    assert (told["log_level"], told["count"], told["handlers"]) == ("info", len(found), found)
    assert "LoginHandler" in found
    assert [entry for entry in logs if entry["event"] == "permissions_not_granted"] == []
