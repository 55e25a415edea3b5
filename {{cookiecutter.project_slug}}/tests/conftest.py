"""What all tests have: databases that exist for one test, and a service that is really put together."""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog
from sqlalchemy import make_url

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import CQRSBus
from app.core.cqrs.testing import MemoryBus
from app.persistence.engine import sqlite
from app.persistence.engine.database import Database
from tests.databases import (
    SERVER,
    SQLITE_AS_DELIVERED,
    Databases,
    PostgresDatabases,
    SqliteFiles,
    ask_server,
    settings_for,
)
from tests.lifespan import service_with
from tests.support.once import find_out_once
from tests.surroundings import do_without, without_settings
from tests.users import People

pytest_plugins = ["tests.support.engine", "tests.support.rolled_back"]


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of asynchronous tests."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _no_developers_settings() -> Iterator[None]:
    """No test reads a developer's settings, and the service is called the same wherever it was installed."""
    with without_settings(), pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SERVICE_NAME", "app")
        yield


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test finds a developer's files in the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log in plain lines, and tracebacks as Python prints them: rendering one in colours takes longer than a test."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteFiles]:
    """SQLite, migrated once. No power fails in a test, so no commit waits for the disk."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sqlite, "WRITER", (*SQLITE_AS_DELIVERED, "PRAGMA synchronous=OFF"))
        yield SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[PostgresDatabases]:
    """PostgreSQL, migrated once; where no server answers, what needs it is skipped, or fails if it is required."""
    try:
        asyncio.run(ask_server("SELECT 1"))
    except (OSError, asyncpg.PostgresError) as error:
        do_without(
            f"PostgreSQL at {make_url(SERVER)} cannot be used ({error}): these tests ran on SQLite alone. "
            "TEST_POSTGRES_URL names another server or user."
        )
    databases = PostgresDatabases()
    yield databases
    databases.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Every test that uses it, directly or by another fixture, runs on both kinds of databases."""
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
    """The service, put together and started as it is in production; it ends without delivering what is left."""
    async with service_with(settings) as running:
        yield running


@pytest.fixture
def bus(service: RunningService) -> CQRSBus:
    """The bus of the running service."""
    return service.bus


@pytest.fixture
async def cqrs_bus() -> AsyncIterator[MemoryBus]:
    """A bus on fakes; a handler is registered by `cqrs_bus.register(CreateUserHandler)`."""
    async with MemoryBus() as bus:
        yield bus


@pytest.fixture
def people(bus: CQRSBus) -> People:
    """Registers users, each of whom sends messages as a caller."""
    return People(bus)


@pytest.fixture(scope="session", autouse=True)
def _share_discovery() -> Iterator[None]:
    """Tests share what discovery finds in the packages of the service, which takes long."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        find_out_once(monkeypatch)
        yield


@pytest.fixture(autouse=True)
def _levels_of_loggers() -> Iterator[None]:
    """Restore levels and propagation of loggers after each test: a server sets those of its libraries."""
    names = {"", *logging.root.manager.loggerDict}
    before = {name: (logging.getLogger(name).level, logging.getLogger(name).propagate) for name in names}
    yield
    for name in {"", *logging.root.manager.loggerDict}:
        logger = logging.getLogger(name)
        level, logger.propagate = before.get(name, (logging.NOTSET, True))
        if logger.level != level:
            logger.setLevel(level)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a log as it was written to standard error, and not a second time as unformatted records."""
    report = yield
    written = {name.removeprefix("Captured stderr ") for name, _ in report.sections if "Captured stderr" in name}
    hidden = {f"Captured log {phase}" for phase in written}
    report.sections = [section for section in report.sections if section[0] not in hidden]
    return report


def pytest_collection_finish() -> None:
    """Collect garbage less often, and not from what stays for good: it took a quarter of the time of all tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once for each reason how many tests were skipped."""
    reasons = Counter(str(skipped.longrepr[2]) for skipped in terminalreporter.getreports("skipped"))
    for reason, times in reasons.items():
        terminalreporter.write_line(f"{times} skipped: {reason.removeprefix('Skipped: ')}")
