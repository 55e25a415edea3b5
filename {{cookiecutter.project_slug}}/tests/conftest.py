"""What all tests have: databases that exist for one test, and a service that is really put together."""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
import structlog

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import CQRSBus
from app.core.cqrs.testing import MemoryBus
from app.persistence.engine.database import Database
from tests.databases import SERVER, Databases, PostgresDatabases, SqliteFiles, ask_server, settings_for
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
def _settings_of_nobody() -> Iterator[None]:
    """No test reads a developer's settings, and the service is called the same wherever it was installed."""
    with without_settings(), pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SERVICE_NAME", "app")
        yield


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test touches a developer's files."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log in plain lines, and tracebacks as Python prints them: to paint one takes longer than the test it is from."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
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
        do_without(f"PostgreSQL does not answer on {SERVER} ({error}): these tests ran on SQLite alone.")
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
    """Registers users and speaks for them."""
    return People(bus)


@pytest.fixture(scope="session", autouse=True)
def _found_out_once() -> Iterator[None]:
    """No test waits for what was found out for another."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        find_out_once(monkeypatch)
        yield


@pytest.fixture(autouse=True)
def _levels_of_loggers() -> Iterator[None]:
    """No test has the levels that a server of another test gave to the loggers of its library."""
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
    """Show what was logged once: as it was written, and not as records that nobody has made readable."""
    report = yield
    written = {name.removeprefix("Captured stderr ") for name, _ in report.sections if "Captured stderr" in name}
    hidden = {f"Captured log {phase}" for phase in written}
    report.sections = [section for section in report.sections if section[0] not in hidden]
    return report


def pytest_collection_finish() -> None:
    """Look for garbage less often, and not in what stays for good: that took a quarter of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once for each reason how many tests were skipped."""
    reasons = Counter(str(skipped.longrepr[2]) for skipped in terminalreporter.getreports("skipped"))
    for reason, times in reasons.items():
        terminalreporter.write_line(f"{times} skipped: {reason.removeprefix('Skipped: ')}")
