"""What all tests have: databases that exist for one test, and a service that is really put together."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from app.core.config import Settings
from app.core.container import RunningService, running_service
from app.core.cqrs import CQRSBus
from app.persistence.database import Database
from tests.databases import SERVER, Databases, PostgresDatabases, SqliteFiles, ask_server, settings_for
from tests.users import People


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of asynchronous tests."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads a developer's settings, or touches a developer's files."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log in plain lines: to paint a traceback takes longer than the test it is from."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    """SQLite, migrated once."""
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[PostgresDatabases]:
    """PostgreSQL, migrated once; where no server answers, what needs it is skipped, or fails if it is required."""
    try:
        asyncio.run(ask_server("SELECT 1"))
    except OSError as error:
        sentence = f"PostgreSQL does not answer on {SERVER} ({error}): these tests ran on SQLite alone."
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    databases = PostgresDatabases()
    yield databases
    databases.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Every test that uses it, or what follows, runs on both kinds of databases."""
    found: Databases = request.getfixturevalue("sqlite_files" if request.param == "sqlite" else "postgres_databases")
    return found


@pytest.fixture
def database_url(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """A migrated database in which nothing has happened yet."""
    with databases.fresh(tmp_path) as url:
        yield url


@pytest.fixture
def empty_database_url(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """A database that was never migrated."""
    with databases.empty(tmp_path) as url:
        yield url


@pytest.fixture
def settings(database_url: str) -> Settings:
    """The settings of a service on the test's database."""
    return settings_for(database_url)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The test's database, without a service."""
    opened = Database(settings)
    yield opened
    await opened.close()


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service, put together and started as it is in production."""
    async with running_service(settings) as running:
        yield running


@pytest.fixture
def bus(service: RunningService) -> CQRSBus:
    """The bus of the running service."""
    return service.bus


@pytest.fixture
def people(bus: CQRSBus) -> People:
    """Registers users and speaks for them."""
    return People(bus)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once for each reason how many tests were skipped."""
    reasons = Counter(str(skipped.longrepr[2]) for skipped in terminalreporter.getreports("skipped"))
    for reason, times in reasons.items():
        terminalreporter.write_line(f"{times} skipped: {reason.removeprefix('Skipped: ')}")
