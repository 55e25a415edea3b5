"""A handler fails for the whole run, with many events behind dead ones: the others are as fast as ever."""

import asyncio

from sqlalchemy import delete, func, select

from app.composition.container import running_service
from tests.chaos import bank, batches, refusing
from tests.chaos.batches import Depositor
from tests.chaos.deliveries import all_caused_once, counted, looking
from tests.chaos.oracle import require, until
from tests.chaos.stage import Database, Stage
from tests.chaos.workers import workers

ACCOUNTS = 20
BLOCKED = 5
"""With one account the handlers that do not fail would have its events one after the other, for many minutes."""
EVERY_SECONDS = 0.1
LONGEST_LAG_SECONDS = 1.0
CAUSED_SECONDS = 240.0


async def play(stage: Stage) -> str:
    """First many events of a few accounts, behind a dead one each; then new ones of all, and how late they come."""
    if not stage.has_postgres:
        stage.left_out.append("failing_handler (on SQLite a worker learns of a commit within a second)")
        return "left out"
    database = await stage.postgres(ACCOUNTS)
    behind, new = stage.size(300, 10_000), stage.size(50, 600)
    packages = (*bank.PACKAGES, refusing.__name__)
    writing = database.settings(relay_in_service=False)
    async with (
        running_service(writing, [*bank.PACKAGES, batches.__name__]) as service,
        workers(stage, database, 1, packages=packages, event_max_attempts=2, event_retry_seconds=0.05),
    ):
        await Depositor(service.bus, database.accounts[:BLOCKED], stage.random).commit(behind)
        await all_caused_once(database, CAUSED_SECONDS)
        await _caused(database, behind)
        async with looking(database) as connection:
            await connection.execute(delete(refusing.lags))
        depositor = Depositor(service.bus, database.accounts, stage.random)
        for number in range(new):
            await depositor.send([(stage.random.choice(database.accounts), f"new{number}")])
            await asyncio.sleep(EVERY_SECONDS)
        longest = await _caused(database, new)
    require(longest < LONGEST_LAG_SECONDS, f"A handler heard of a deposit {longest:.2f} s late because another fails.")
    return f"{new} events beside {behind} behind {BLOCKED} dead ones, the others {longest * 1000:.0f} ms late at most"


async def _caused(database: Database, events: int) -> float:
    """Wait until so many lags were noted, and answer the longest."""
    async with looking(database) as connection:

        async def all_noted() -> bool:
            return await counted(connection, refusing.lags.c.event_id) >= events

        await until(all_noted, f"{events} lags are to be noted", CAUSED_SECONDS)
        return float(await connection.scalar(select(func.max(refusing.lags.c.seconds))) or 0)
