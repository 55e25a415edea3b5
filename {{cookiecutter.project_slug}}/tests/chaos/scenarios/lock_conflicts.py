"""Two commands lock the same rows in opposite order; a lock is held longer than anybody waits for it."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from app.composition.container import running_service
from app.core.cqrs import (
    BaseCommandHandler,
    ICommand,
    OperationStatus,
    command_handler,
    retry_on_failure,
    transactional,
)
from tests.chaos import bank
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import require, until
from tests.chaos.stage import Database, Stage
from tests.support.attempts import Attempts

LOCK_SECONDS = 0.2
COUNTED_SECONDS = 20.0
DONE_SECONDS = 30.0


@dataclass(frozen=True)
class DepositInBoth(ICommand[str]):
    """Pay one into the first account, having locked the second too; the first attempt waits for somebody else's."""

    first: UUID
    second: UUID
    entry: str
    meet: asyncio.Barrier = field(compare=False)
    attempts: Attempts = field(default_factory=Attempts, compare=False)


@command_handler(DepositInBoth)
@transactional()
@retry_on_failure(delay_seconds=0.05)
class DepositInBothHandler(BaseCommandHandler[DepositInBoth, str]):
    """Two of them, with the accounts the other way round, cannot both go on."""

    session: AsyncSession

    async def _handle(self, command: DepositInBoth) -> str:
        command.attempts.number += 1
        account = await self.session.get_one(bank.Account, command.first, with_for_update=True)
        if command.attempts.number == 1:
            await command.meet.wait()
        await self.session.get_one(bank.Account, command.second, with_for_update=True)
        await self.bus.execute_command(bank.DepositLocked(account.id, command.entry))
        return command.entry


async def play(stage: Stage) -> str:
    """Who loses tries again, and in the end everything was done once."""
    lines = [await _held(database) async for database in stage.databases(1)]
    if stage.has_postgres:
        lines.append(await _deadlocks(await stage.postgres(accounts=2), stage.size(3, 20)))
    return "; ".join(lines)


async def _deadlocks(database: Database, times: int) -> str:
    ledger, (one, two), attempts = Ledger(), database.accounts, 0
    async with running_service(database.settings(), [*bank.PACKAGES, __name__]) as service:
        for number in range(times):
            meet = asyncio.Barrier(2)
            pair = [DepositInBoth(one, two, f"a{number}", meet), DepositInBoth(two, one, f"b{number}", meet)]
            async with asyncio.timeout(DONE_SECONDS):
                results = await asyncio.gather(*map(service.bus.execute_command, pair))
            for command, result in zip(pair, results, strict=True):
                require(result.is_success, f"A deadlock was answered {result.error_message}.")
                ledger.acknowledged[command.entry] = b""
                attempts += command.attempts.number
        await ledger.check(database.driver_url)
    # The server counts when the connections of the service are closed.
    await until(lambda: _counted(database, times), f"The server is to have counted {times} deadlocks", COUNTED_SECONDS)
    require(attempts == 3 * times, f"{times} deadlocks made {attempts} attempts; one of two has to try again.")
    return f"{times} deadlocks, all done once"


async def _counted(database: Database, times: int) -> bool:
    assert database.postgres is not None, "only a server detects deadlocks"
    wanted = f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{database.name}'"
    (row,) = await database.postgres.ask(wanted)
    return row["deadlocks"] == times  # type: ignore[no-any-return]


async def _held(database: Database) -> str:
    """A lock that is given back helps the next attempt; one that is not makes it 503, and nothing is done."""
    ledger = Ledger()
    patient = database.settings(database_lock_timeout_seconds=LOCK_SECONDS)
    async with running_service(patient, [*bank.PACKAGES]) as service:
        started = time.monotonic()
        async with _somebody_holds(database):
            task = asyncio.create_task(service.bus.execute_command(_deposit(database, "in time")))
            await asyncio.sleep(LOCK_SECONDS * 1.5)
        require((await task).is_success, f"A lock held for {LOCK_SECONDS * 1.5:g} s was answered {task.result()}.")
        require(time.monotonic() - started > LOCK_SECONDS, "Nobody waited for a lock.")
        ledger.acknowledged["in time"] = b""
        async with _somebody_holds(database):
            late = await service.bus.execute_command(_deposit(database, "too late"))
        require(late.status is OperationStatus.UNAVAILABLE, f"A lock that is never given back was answered {late}.")
        await ledger.check(database.driver_url)
    return f"{database.kind} a lock held too long: tried again, and given up"


def _deposit(database: Database, entry: str) -> bank.DepositLocked:
    return bank.DepositLocked(database.accounts[0], entry)


@asynccontextmanager
async def _somebody_holds(database: Database) -> AsyncIterator[None]:
    """Somebody who is no part of the service has locked the account."""
    if database.postgres is None:
        with closing(sqlite3.connect(database.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
        return
    connection = await asyncpg.connect(f"{database.postgres.url}/{database.name}", ssl=False)
    try:
        async with connection.transaction():
            await connection.execute("SELECT * FROM chaos_accounts FOR UPDATE")
            yield
    finally:
        await connection.close()
