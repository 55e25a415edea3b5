"""Commands are cancelled at random moments; then many at once share few connections."""

import asyncio
import gc
import warnings
from collections.abc import Iterator
from itertools import count, islice

from sqlalchemy.pool import QueuePool

from app.composition.container import RunningService, running_service
from app.persistence.engine.database import Database as Engines
from tests.chaos import bank
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import require, until
from tests.chaos.stage import Database, Stage

AT_ONCE = 20
LATEST_SECONDS = 0.05
TWICE = 0.3
RETURNED_SECONDS = 10.0
DONE_SECONDS = 30.0
NESTED_SECONDS = 60.0


async def play(stage: Stage) -> str:
    """In this process: over HTTP nobody can cancel at a moment of their choice."""
    lines = []
    async for database in stage.databases(5):
        # What nobody gives back, SQLAlchemy drops when it is garbage, and warns of it.
        with warnings.catch_warnings(record=True, action="always") as warned:
            cancelled = await _cancel(stage, database, stage.size(300, 2_000))
            gc.collect()
        require(not warned, f"{len(warned)} warnings: {[str(warning.message) for warning in warned[:1]]}.")
        lines.append(f"{database.kind} {cancelled}, nothing leaked")
        for size in (5, 1):
            await _nested(database, size)
    return "; ".join(lines) + f"; {AT_ONCE} nested commands at once share 5 connections, and 1"


async def _cancel(stage: Stage, database: Database, times: int) -> str:
    ledger, sent = Ledger(), count()
    async with running_service(database.settings(database_pool_size=5), [*bank.PACKAGES]) as service:
        while len(ledger.unknown) < times:
            tasks = {entry: asyncio.create_task(_one(stage, database, service, entry)) for entry in _some(sent)}
            for entry in stage.random.sample(list(tasks), len(tasks)):
                await asyncio.sleep(stage.random.uniform(0, LATEST_SECONDS * 2 / AT_ONCE))
                tasks[entry].cancel()
                if stage.random.random() < TWICE:  # once more, while it cleans up
                    await asyncio.sleep(0)
                    tasks[entry].cancel()
            await asyncio.wait(tasks.values(), timeout=DONE_SECONDS)
            for entry, task in tasks.items():
                require(task.done(), "A cancelled command goes on.")
                if task.cancelled():
                    ledger.unknown.add(entry)
                else:
                    ledger.acknowledged[entry] = task.result().encode()
        await service.bus.settled()
        await _nothing_is_held(database, service)
        (await service.bus.execute_command(bank.DepositLocked(database.accounts[0], "last"))).unwrap()
        ledger.acknowledged["last"] = b""
        stored = await ledger.check(database.driver_url)
    return f"{len(ledger.unknown)} cancelled of {next(sent)}, {stored} deposits stored"


def _some(numbers: Iterator[int]) -> list[str]:
    return [f"entry{number}" for number in islice(numbers, AT_ONCE)]


async def _one(stage: Stage, database: Database, service: RunningService, entry: str) -> str:
    kind = stage.random.choice((bank.DepositNested, bank.DepositLocked))
    return (await service.bus.execute_command(kind(stage.random.choice(database.accounts), entry))).unwrap()


async def _nothing_is_held(database: Database, service: RunningService) -> None:
    """All connections are back in the pools, and no session of the server has a transaction open."""
    engines = await service.container.get(Engines)
    pools = [engine.pool for engine in (engines.writing_engine, engines.reading_engine)]
    out = sum(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))
    require(out == 0, f"{out} connections were not given back.")
    server = database.postgres
    if server is None:
        return

    async def none_open() -> bool:
        wanted = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database.name}' AND state <> 'idle'"
        return not await server.ask(wanted)

    await until(none_open, "No session is to be active or idle in transaction", RETURNED_SECONDS)


async def _nested(database: Database, pool_size: int) -> None:
    """Nested commands use the connection of the outer one, so none waits for another."""
    async with running_service(database.settings(database_pool_size=pool_size), [*bank.PACKAGES]) as service:
        commands = (bank.DepositNested(database.accounts[0], f"nested{pool_size}.{n}") for n in range(AT_ONCE))
        async with asyncio.timeout(NESTED_SECONDS):
            results = await asyncio.gather(*(service.bus.execute_command(command) for command in commands))
    failed = [result.error_message for result in results if result.is_failure]
    require(
        not failed, f"{len(failed)} of {AT_ONCE} nested commands failed with {pool_size} connections: {failed[:1]}."
    )
