"""Two services behind PgBouncer, which shares few connections among all transactions; each in turn is killed."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from itertools import count, cycle, islice

from sqlalchemy import text

from app.core.cqrs import ConfigurationError, TransientError
from app.persistence.engine.database import Database as Engines
from tests.chaos.callers import Caller, ServiceProcess, callers, share_out
from tests.chaos.deliveries import all_caused_once, check_order_of_effects, drained
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import require, until
from tests.chaos.pgbouncer import PgBouncer
from tests.chaos.servers import MissingError
from tests.chaos.stage import Database, Stage

CALLERS = 5
ACCOUNTS = 10
LATEST_KILL_SECONDS = 0.5
DIES_SECONDS = 10.0
CALM_SECONDS = 30.0
DRAINED_SECONDS = 30.0
VICTIMS = ("service", "pooler", "database")
WRITING = text("INSERT INTO chaos_entries (entry) VALUES ('written by a query')")


async def play(stage: Stage) -> str:
    """In transaction mode; a service, the pooler and the database are killed in turn."""
    if not stage.has_postgres:
        stage.left_out.append("pooler (SQLite has none)")
        return "left out"
    direct = await stage.postgres(ACCOUNTS)
    try:
        pooler = PgBouncer(stage.folder, direct)
    except (MissingError, KeyError) as missing:
        stage.left_out.append(f"pooler ({missing})")
        return "left out"
    try:
        await pooler.start()
        async with AsyncExitStack() as stack:
            services = [
                await stack.enter_async_context(stage.service(pooler.database, database_pooler=True)) for _ in range(2)
            ]
            return await Users(stage, direct, pooler, services).play(stage.size(3, 15))
    finally:
        await pooler.remove()


class Users:
    """Callers who repeat what they got no answer to, and a query that tries to write all the time."""

    def __init__(self, stage: Stage, direct: Database, pooler: PgBouncer, services: list[ServiceProcess]) -> None:
        self._stage = stage
        self._direct = direct
        self._pooler = pooler
        self._services = services
        self._ledger = Ledger()
        self._numbers = count(1)
        self._last_success = 0.0
        self._refused = 0
        self._stopped = False

    async def play(self, kills: int) -> str:
        """Kill so many times."""
        async with AsyncExitStack() as stack:
            people = [
                caller
                for service in self._services
                for caller in await stack.enter_async_context(callers(service.url, CALLERS))
            ]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._try_to_write())
                for caller in people:
                    tasks.create_task(self._use(caller))
                for victim in islice(cycle(VICTIMS), kills):
                    await self._kill(victim)
                self._stopped = True
            await share_out(sorted(self._ledger.unknown), people, self._send)
        undecided = len(self._ledger.unknown)
        require(not undecided, f"{undecided} retries have no definitive answer: {self._ledger.faults}.")
        require(self._refused > kills, "Hardly any query tried to write.")
        await drained(self._direct, DRAINED_SECONDS)
        await all_caused_once(self._direct, DRAINED_SECONDS)
        stored = await self._ledger.check(self._direct.driver_url)
        await check_order_of_effects(self._direct)
        effects = f"{stored} deposits had one effect each, in order"
        return f"{kills} kills, {effects}, {self._refused} writes of queries refused"

    async def _kill(self, victim: str) -> None:
        """Kill one while all are busy, start it again, and wait until work goes on."""
        await self._success_after(time.monotonic())
        await asyncio.sleep(self._stage.random.uniform(0, LATEST_KILL_SECONDS))
        match victim:
            case "service":
                await self._services[0].program.end(signal.SIGKILL, DIES_SECONDS)
                await self._services[0].start()
            case "pooler":
                await self._pooler.kill()
                await self._pooler.start()
            case _:
                assert self._direct.postgres is not None, "there is a server"
                await self._direct.postgres.restart("immediate")
        await self._success_after(time.monotonic())

    async def _success_after(self, moment: float) -> None:
        async def succeeded() -> bool:
            return self._last_success > moment

        await until(succeeded, "A write is to succeed", CALM_SECONDS)

    async def _use(self, caller: Caller) -> None:
        while not self._stopped:
            await self._send(caller, f"entry{next(self._numbers)}")

    async def _send(self, caller: Caller, entry: str) -> None:
        account = self._direct.accounts[int(entry.removeprefix("entry")) % ACCOUNTS]
        answer = await caller.deposit_once(account, entry)
        require(answer is None or answer.status in (200, 503), f"A write was answered {answer}.")
        self._ledger.note(entry, answer)
        if entry in self._ledger.acknowledged:
            self._last_success = time.monotonic()
        else:  # whoever is away needs a moment
            await asyncio.sleep(0.05)

    async def _try_to_write(self) -> None:
        """As a query would; if one succeeds, the ledger has a deposit that nobody promised."""
        engines = Engines(self._pooler.database.settings(database_pooler=True))
        while not self._stopped:
            try:
                async with engines.reading() as session:
                    await session.execute(WRITING)
                    await session.commit()
            except ConfigurationError:
                self._refused += 1
            except TransientError:  # nobody is there to refuse it
                await asyncio.sleep(0.05)
        await engines.close()
