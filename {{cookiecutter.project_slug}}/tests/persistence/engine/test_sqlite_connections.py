"""A connection to SQLite that is given up: its lock is free, and its statement ends."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.persistence.engine import sqlite
from app.persistence.engine.sqlite import writing_engine
from app.persistence.engine.sqlite_connections import Connection, connect
from tests.databases import ON_SQLITE, SQLITE_AS_DELIVERED

ROWS = 10_000_000
MANY = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {ROWS}) SELECT "


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The engine of units of work, which has one connection."""
    engine = writing_engine(settings)
    yield engine
    await engine.dispose()


@ON_SQLITE
async def test_a_commit_waits_for_the_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "WRITER", SQLITE_AS_DELIVERED)
    engine = writing_engine(settings)
    async with engine.connect() as connection:
        assert (await connection.execute(text("PRAGMA synchronous"))).scalar_one() == 2, "FULL"
    await engine.dispose()


def is_locked(engine: AsyncEngine) -> bool:
    """Whether another connection can begin no transaction that writes."""
    with closing(sqlite3.connect(engine.url.database or "", timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


@ON_SQLITE
async def test_a_connection_with_a_half_read_statement_gives_its_lock_back(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.begin()
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        half_read = await driver.cursor()
        await half_read.execute(MANY + "i FROM n")
        assert is_locked(engine)
        await connection.invalidate()
        assert not is_locked(engine)
    with pytest.raises(ValueError, match="Connection closed"):
        await half_read.fetchone()


@ON_SQLITE
async def test_a_statement_ends_when_its_caller_is_cancelled(engine: AsyncEngine) -> None:
    read = count(1)

    async def read_all() -> None:
        async with engine.begin() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.create_function("note", 0, lambda: next(read))
            await connection.execute(text(MANY + "max(note()) FROM n"))

    reading = asyncio.create_task(read_all())
    async with asyncio.timeout(20):
        while next(read) < 1000:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert next(read) < ROWS
    assert not is_locked(engine)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_connection_is_closed_when_its_caller_is_cancelled_while_it_opens(times: int, tmp_path: Path) -> None:
    opened, closed = list[sqlite3.Connection](), list[sqlite3.Connection]()

    class Noted(Connection):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            opened.append(self)

        def close(self) -> None:
            closed.append(self)
            super().close()

    others = asyncio.all_tasks()
    connecting = asyncio.create_task(connect((), tmp_path / "any.db", factory=Noted))
    await asyncio.sleep(0)
    for _ in range(times):
        connecting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await connecting
    if closing := asyncio.all_tasks() - others:
        await asyncio.wait(closing, timeout=20)
    assert len(closed) == 1
    assert closed == opened
