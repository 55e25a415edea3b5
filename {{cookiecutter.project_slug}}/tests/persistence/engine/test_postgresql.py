"""What only PostgreSQL has: statements of queries that are transactions of their own, and queries that ask for one."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import CQRSBus, CQRSError, OperationResult
from app.persistence.engine import postgresql
from app.persistence.engine.database import Database
from app.persistence.engine.postgresql_connections import SILENCE
from app.persistence.engine.sessions import at_one_moment
from tests.core.cqrs.support import PATIENCE
from tests.lifespan import service_with
from tests.persistence.reads import TRANSACTION, Look

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.integration)
pytestmark = pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service with the queries of these tests."""
    async with service_with(settings, ("app.handlers", "tests.persistence.reads")) as running:
        yield running


@pytest.mark.parametrize("at_one_moment", [False, True])
async def test_statements_are_transactions_of_their_own_unless_asked_for_one(bus: CQRSBus, at_one_moment: bool) -> None:
    first, second = (await bus.execute_query(Look(at_one_moment))).unwrap()
    assert (first == second) is at_one_moment


async def test_a_cursor_needs_a_transaction_and_is_told_how(bus: CQRSBus) -> None:
    refused: OperationResult[Any] = await bus.execute_query(Look(at_one_moment=False, with_cursor=True))
    assert "at_one_moment(self.session)" in str(refused.error_message)
    names = (await bus.execute_query(Look(at_one_moment=True, with_cursor=True))).unwrap()
    assert "member" in names


async def test_a_transaction_that_was_asked_for_ends_with_the_query(bus: CQRSBus, database: Database) -> None:
    await bus.execute_query(Look(at_one_moment=True))
    open_ones = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND state LIKE 'idle in%' AND query = :asked"
    ).bindparams(asked=TRANSACTION.text)
    async with database.reading() as session:
        assert await session.scalar(open_ones) == 0
    first, second = (await bus.execute_query(Look(at_one_moment=False))).unwrap()
    assert first != second


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_no_statement_of_a_reader_can_write(database: Database, in_transaction: bool) -> None:
    async with database.reading() as session:
        if in_transaction:
            await at_one_moment(session)
        assert await session.scalar(text("SHOW transaction_read_only")) == "on"


async def test_connections_end_when_the_server_has_vanished(database: Database) -> None:
    for engine in (database.writing_engine, database.reading_engine, database.relaying_engine):
        async with engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            connected = driver._transport.get_extra_info("socket")
            assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            known = {name: getattr(socket, name) for name in SILENCE if hasattr(socket, name)}
            found = {name: connected.getsockopt(socket.IPPROTO_TCP, option) for name, option in known.items()}
            assert found == {name: SILENCE[name] for name in known}


async def test_a_relay_that_stands_still_holds_up_the_others_for_a_moment_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert postgresql.LONGEST_RELAY_PAUSE_SECONDS <= 10
    monkeypatch.setattr(postgresql, "LONGEST_RELAY_PAUSE_SECONDS", 1)
    database = Database(settings)
    lock, took_it = text("SELECT pg_advisory_xact_lock(7)"), False
    with suppress(CQRSError, DBAPIError):
        async with database.relaying_engine.begin() as stopped:
            await stopped.execute(lock)
            async with asyncio.timeout(PATIENCE), database.relaying_engine.begin() as other:
                await other.execute(lock)
                took_it = True
    await database.close()
    assert took_it
