"""Databases for tests: each test gets a fresh copy of one that was migrated once."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import asyncpg

from app.core.config import Settings
from app.persistence import migrate

SERVER = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432")
"""A server on which the tests may create and drop databases of their own; no database of it is touched."""


def settings_for(database_url: str, **values: Any) -> Settings:
    """Settings that come from nowhere else, with passwords that are hashed quickly."""
    given = {
        "environment": "test",
        "secret_key": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "database_url": database_url,
        "password_time_cost": 1,
        "password_memory_kib": 8,
        **values,
    }
    return Settings(_env_file=None, **given)


class FreshDatabases(Protocol):
    """Makes fresh databases."""

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[str]:
        """The URL of a new, migrated database; it is gone afterwards."""
        yield ""


class SqliteFiles:
    """Copies of one migrated file."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template.db"
        migrate.upgrade(settings_for(f"sqlite:///{self._template}"))

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[str]:
        """A copy in the folder of the test."""
        yield f"sqlite:///{shutil.copy(self._template, folder / 'test.db')}"


class PostgresDatabases:
    """Copies of one migrated database, on a real server."""

    def __init__(self) -> None:
        self._template = f"test_{os.getpid()}_{uuid4().hex[:8]}"
        self._order(f'CREATE DATABASE "{self._template}"')
        migrate.upgrade(settings_for(_url(self._template)))

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[str]:
        """A copy on the server."""
        name = f"{self._template}_{uuid4().hex[:8]}"
        self._order(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        try:
            yield _url(name)
        finally:
            self._order(f'DROP DATABASE "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Drop the template."""
        self._order(f'DROP DATABASE "{self._template}" WITH (FORCE)')

    def _order(self, statement: str) -> None:
        asyncio.run(ask_server(statement))


def _url(database: str) -> str:
    # Cancelled while it asks for TLS, asyncpg leaves an error behind that nobody can catch.
    return f"{SERVER}/{database}?ssl=disable"


async def ask_server(statement: str) -> None:
    """Execute one statement outside of all test databases."""
    connection = await asyncpg.connect(f"{SERVER}/postgres", timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
