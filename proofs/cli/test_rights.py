"""The rights in `docs/going-live.md` are enough for each command, and a missing one is named."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.composition.container import running_service
from app.handlers.user.get_user_handler import GetUserQuery
from support.places import SERVICE
from support.roles import OWNER, SERVING, Roles
from tests.databases import PostgresDatabases, settings_for
from tests.server import environment_for
from tests.users import People

pytestmark = pytest.mark.integration

PAGE = (SERVICE / "docs/going-live.md").read_text(encoding="utf-8")
STATEMENTS = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

Run = Callable[..., Result]
"""Runs `app` as one of the roles, with these arguments."""


@pytest.fixture
def roles(postgres_databases: PostgresDatabases, tmp_path: Path) -> Iterator[Roles]:
    """An empty database for which the statements of the page were executed."""
    with postgres_databases.empty(tmp_path) as url:
        roles = Roles(url)
        asyncio.run(roles.order(STATEMENTS[0]))
        try:
            yield roles
        finally:
            asyncio.run(roles.drop())


@pytest.fixture
def run(roles: Roles, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(role: str, *arguments: str, typed: str = "") -> Result:
        for name, value in environment_for(roles.url_of(role)).items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, arguments, input=typed)

    return run


@pytest.fixture
def migrated(run: Run) -> None:
    """The owner has migrated the database."""
    upgraded = run(OWNER, "db", "upgrade")
    assert upgraded.exit_code == 0, upgraded.output


READ_MODEL = "order_summaries"
BY_THE_OWNER = ["db upgrade", "db check", f"projections rebuild {READ_MODEL}", "db downgrade -1"]
BY_THE_SERVICE = [
    "db check",
    "projections status",
    "outbox status",
    "outbox list",
    "outbox replay --all",
    "outbox purge --all",
    "users create-admin ada@example.org --password-stdin",
]


@pytest.mark.usefixtures("migrated")
def test_each_command_has_enough_rights(run: Run) -> None:
    commands = [(SERVING, one) for one in BY_THE_SERVICE] + [(OWNER, one) for one in BY_THE_OWNER]
    for role, command in commands:
        done = run(role, *command.split(), typed="y\n" if "purge" in command else "correct horse battery staple\n")
        assert done.exit_code == 0, f"{command}: {done.output}"


@pytest.mark.usefixtures("migrated")
async def test_the_service_runs_and_delivers(roles: Roles) -> None:
    async with running_service(settings_for(roles.url_of(SERVING))) as service:
        ada = await People(service.bus).member()
        await service.bus.settled()
        assert (await ada.query(GetUserQuery(ada.id))).unwrap().email == ada.email


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize("command", [f"projections rebuild {READ_MODEL}", "db downgrade -1"])
def test_what_the_service_may_not_do_is_refused_with_the_right_that_it_lacks(run: Run, command: str) -> None:
    refused = run(SERVING, *command.split())
    assert refused.exit_code == 1
    lacking = r"permission denied for schema public|must be owner of table \w+"
    assert re.search(rf"lacks a right: ({lacking})\. Grant it; docs/going-live\.md", refused.stderr)


def test_the_service_may_not_migrate(run: Run) -> None:
    refused = run(SERVING, "db", "upgrade")
    assert refused.exit_code == 1
    assert "lacks a right: permission denied for schema public. Grant it" in refused.stderr


@pytest.mark.usefixtures("migrated")
def test_a_service_with_the_right_to_create_may_rebuild(roles: Roles, run: Run) -> None:
    asyncio.run(roles.order(f"GRANT CREATE ON SCHEMA public TO {SERVING}"))
    rebuilt = run(SERVING, "projections", "rebuild", READ_MODEL)
    assert rebuilt.exit_code == 0, rebuilt.output


@pytest.mark.usefixtures("migrated")
def test_tables_that_were_there_before_are_granted(roles: Roles, run: Run) -> None:
    asyncio.run(roles.order(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {SERVING}"))
    refused = run(SERVING, "outbox", "status")
    assert "lacks a right: permission denied for table" in refused.stderr
    asyncio.run(roles.order(STATEMENTS[1]))
    assert run(SERVING, "outbox", "status").exit_code == 0
