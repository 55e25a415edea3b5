"""What only PostgreSQL has: statements of queries that are transactions of their own, and queries that ask for one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import CQRSBus, OperationResult
from app.persistence.engine.database import Database
from app.persistence.engine.sessions import at_one_moment
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
