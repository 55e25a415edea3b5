"""Relays in other processes learn of a commit at once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.persistence.engine.database import Database
from app.persistence.events import listen_notify
from app.persistence.events.listen_notify import Bell, listening
from tests.core.cqrs.support import within_patience

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.integration)
ON_POSTGRESQL = pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)


class Ears:
    """Counts how often it was woken."""

    def __init__(self) -> None:
        self.times = 0
        self._heard = asyncio.Event()

    def wake(self) -> None:
        self.times += 1
        self._heard.set()

    async def hears(self) -> None:
        """Wait until it was woken since this was last asked."""
        await within_patience(self._heard.wait())
        self._heard.clear()


async def rings(bell: Bell, ears: Ears) -> None:
    """Ring once, and wait until it is heard."""
    bell.add([])
    await ears.hears()
    await within_patience(bell.idle())


@ON_POSTGRESQL
async def test_a_bell_wakes_who_listens_in_another_process(settings: Settings, database: Database) -> None:
    elsewhere, ears = Database(settings), Ears()
    async with listening(elsewhere, ears.wake):
        await ears.hears()  # once it listens, for what was missed
        await rings(Bell(database), ears)
    await elsewhere.close()


@ON_POSTGRESQL
async def test_many_commits_at_once_ring_a_few_times(settings: Settings, database: Database) -> None:
    elsewhere, ears = Database(settings), Ears()
    async with listening(elsewhere, ears.wake):
        await ears.hears()
        before, bell = ears.times, Bell(database)
        for _ in range(100):
            bell.add([])
        await within_patience(bell.finish())
        await ears.hears()
        assert ears.times - before <= 2
    await elsewhere.close()


@ON_POSTGRESQL
async def test_who_lost_the_connection_listens_again(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen_notify, "RECONNECT_SECONDS", 0.01)
    elsewhere, ears = Database(settings), Ears()
    async with listening(elsewhere, ears.wake):
        await ears.hears()
        terminate = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        async with database.relaying_engine.begin() as connection:
            await connection.execute(text(terminate))
        await ears.hears()
        await rings(Bell(database), ears)
    await elsewhere.close()


@ON_POSTGRESQL
async def test_a_bell_that_cannot_ring_fails_nothing(settings: Settings) -> None:
    gone = Database(settings.model_copy(update={"database_url": "postgresql+asyncpg://postgres@127.0.0.1:1/gone"}))
    bell = Bell(gone)
    bell.add([])
    await within_patience(bell.idle())
    await gone.close()


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
async def test_on_sqlite_there_is_nothing_to_ring(database: Database) -> None:
    ears, bell = Ears(), Bell(database)
    async with listening(database, ears.wake):
        bell.add([])
        await within_patience(bell.idle())
    assert ears.times == 0


@ON_POSTGRESQL
async def test_who_could_not_listen_tries_again_whatever_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures, listen, ears = [RuntimeError("the driver's own")], listen_notify._listen_once, Ears()

    async def fail_once(*given: Any) -> None:
        if failures:
            raise failures.pop()
        await listen(*given)

    monkeypatch.setattr(listen_notify, "RECONNECT_SECONDS", 0.01)
    monkeypatch.setattr(listen_notify, "_listen_once", fail_once)
    async with listening(database, ears.wake):
        await ears.hears()
