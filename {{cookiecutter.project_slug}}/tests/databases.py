"""Databases for tests: each test gets one that was migrated once, and in which nothing has happened yet."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import make_url

from app.core.config import UNNAMED, Settings, all_settings
from app.persistence.engine import sqlite
from app.persistence.schema import migrate
from app.persistence.tables import metadata

S = TypeVar("S", bound=Settings)

SERVER = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432")
"""A server on which the tests may create and drop databases of their own; no database of it is touched."""

SQLITE_AS_DELIVERED = sqlite.WRITER
"""What a connection of the service tells SQLite: a commit waits for the disk."""

ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
"""For what is the same on all databases, and is tried on each elsewhere: once is enough."""


def settings_for(database_url: str, **values: Any) -> Settings:
    """Settings that come from nowhere else: passwords are hashed quickly, and nothing is swept behind a test's back."""
    given = {
        "_env_file": None,
        "environment": "test",
        "release": "",
        "secret_key": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "database_url": database_url,
        "password_time_cost": 1,
        "password_memory_kib": 8,
        "sweep_interval_seconds": 30 * 24 * 3600,
        **values,
    }
    return all_settings()(**given)


def part_settings(kind: type[S], **values: Any) -> S:
    """The same, of a part of the service that has settings of its own."""
    settings = settings_for("sqlite:///unused.db", **values)
    assert isinstance(settings, kind)
    return settings


class Databases(Protocol):
    """Makes databases for one test each."""

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[str]:
        """The URL of a migrated database in which nothing has happened yet."""
        yield ""

    @contextmanager
    def empty(self, folder: Path) -> Iterator[str]:
        """The URL of a database that was never migrated."""
        yield ""


class SqliteFiles:
    """Copies of one migrated file."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template.db"
        migrate.upgrade(settings_for(f"sqlite:///{self._template}", service_name=UNNAMED))

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[str]:
        """A copy in the folder of the test."""
        yield f"sqlite:///{shutil.copy(self._template, folder / 'test.db')}"

    @contextmanager
    def empty(self, folder: Path) -> Iterator[str]:
        """A file that is not there yet."""
        yield f"sqlite:///{folder / 'empty.db'}"


class PostgresDatabases:
    """One migrated database on a real server, emptied for each test: to make and drop one takes a second.

    It is emptied through one connection: a new one would read the server's catalogue anew, for ten times as long.
    """

    def __init__(self) -> None:
        self._name = f"test_{os.getpid()}_{uuid4().hex[:8]}"
        self._runner = asyncio.Runner()
        self._make()

    def _make(self) -> None:
        _order(f'CREATE DATABASE "{self._name}"', f'ALTER DATABASE "{self._name}" SET synchronous_commit = off')
        migrate.upgrade(settings_for(_url(self._name), service_name=UNNAMED))
        self._connection = self._runner.run(asyncpg.connect(_url(self._name), timeout=20))
        copied = [f"CREATE TABLE seeded.{table} AS TABLE {table}" for table in metadata.tables]
        self._execute("CREATE SCHEMA seeded", *copied)

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[str]:
        """The database, with nothing in it but what the migrations put there."""
        tables = [table.name for table in metadata.sorted_tables]
        empty = [f"DELETE FROM {name}" for name in reversed(tables)]
        fill = [f"INSERT INTO {name} SELECT * FROM seeded.{name}" for name in tables]
        try:
            self._execute(*empty, *fill, "SELECT 1 / count(*) FROM applied_revisions")
        except (asyncpg.PostgresError, asyncpg.InterfaceError):  # the test before took something away
            self._drop()
            self._make()
        yield _url(self._name)

    @contextmanager
    def empty(self, folder: Path) -> Iterator[str]:
        """A database of its own, without tables."""
        name = f"{self._name}_{uuid4().hex[:8]}"
        _order(f'CREATE DATABASE "{name}"')
        try:
            yield _url(name)
        finally:
            _order(f'DROP DATABASE "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Drop the database."""
        self._drop()
        self._runner.close()

    def _execute(self, *statements: str) -> None:
        self._runner.run(self._connection.execute("; ".join(statements)))

    def _drop(self) -> None:
        self._connection.terminate()
        _order(f'DROP DATABASE "{self._name}" WITH (FORCE)')


async def until_held_up(settings: Settings) -> None:
    """Wait until somebody waits for a lock. On SQLite whoever writes second does, and it cannot be seen."""
    if settings.database_url.startswith("sqlite"):
        return
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    address = make_url(settings.database_url)
    connection = await asyncpg.connect(_url(address.database or ""), timeout=20)
    try:
        async with asyncio.timeout(20):
            while not await connection.fetchval(waits):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        await connection.close()


def _url(database: str) -> str:
    # Cancelled while it asks for TLS, asyncpg leaves an error behind that nobody can catch.
    server = make_url(SERVER).set(database=database)
    return server.set(query={"sslmode": "disable", **server.query}).render_as_string(hide_password=False)


def _order(*statements: str) -> None:
    for statement in statements:
        asyncio.run(ask_server(statement))


async def ask_server(statement: str, database: str = "postgres") -> None:
    """Execute statements on the server."""
    connection = await asyncpg.connect(_url(database), timeout=20)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
