"""What tests of commands have: a command line on a migrated database of its own, on both kinds of databases."""

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.core.config import Settings
from tests.cli.support import Run
from tests.databases import settings_for
from tests.server import environment_for


@pytest.fixture
def environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of commands, which also are in this process's environment."""
    environment = environment_for(database_url, ENVIRONMENT="development")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """The settings of a service whose events are delivered by others."""
    return settings_for(environment["DATABASE_URL"], relay_in_service=False)


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs `app` with these arguments."""
    return lambda *arguments, typed="": CliRunner().invoke(app, [str(word) for word in arguments], input=typed)
