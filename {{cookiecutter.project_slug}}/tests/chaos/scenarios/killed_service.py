"""The service as it is by default, which delivers events itself, is killed again and again while it is used."""

import asyncio
import random
import signal

from tests.chaos.callers import Caller, ServiceProcess, callers, share_out
from tests.chaos.deliveries import all_caused_once, check_order_of_effects, drained
from tests.chaos.ledger import Play
from tests.chaos.oracle import require
from tests.chaos.stage import Stage

CALLERS = 5
ACCOUNTS = 10
LATEST_KILL_SECONDS = 1.5
DIES_SECONDS = 10.0
DRAINED_SECONDS = 30.0


async def play(stage: Stage) -> str:
    """On each database; side by side, because most of the time goes into starting the service."""
    databases = [database async for database in stage.databases(ACCOUNTS)]
    dice = [random.Random(stage.random.random()) for _ in databases]
    kills = stage.size(4, 20)
    users = [Users(stage, database, die) for database, die in zip(databases, dice, strict=True)]
    return "; ".join(await asyncio.gather(*(each.play(kills) for each in users)))


class Users(Play):
    """Callers of a service on one database, who repeat what they got no answer to."""

    async def play(self, kills: int) -> str:
        """Kill the service so many times."""
        async with self.stage.service(self.database) as service:
            for _ in range(kills):
                await self._use_and_kill(service)
                await service.start()
            async with callers(service.url, CALLERS) as people:
                await share_out(sorted(self.ledger.unknown), people, self._send)
            undecided = len(self.ledger.unknown)
            require(not undecided, f"{undecided} retries have no definitive answer: {self.ledger.faults}.")
            await drained(self.database, DRAINED_SECONDS)
            await all_caused_once(self.database, DRAINED_SECONDS)
            stored = await self.ledger.check(self.database.driver_url)
            await check_order_of_effects(self.database)
        return f"{self.database.kind} {kills} kills, {stored} deposits had one effect each, in order"

    async def _use_and_kill(self, service: ServiceProcess) -> None:
        async with callers(service.url, CALLERS) as people, asyncio.TaskGroup() as tasks:
            for caller in people:
                tasks.create_task(self._use(caller, service))
            await asyncio.sleep(self.dice.uniform(0, LATEST_KILL_SECONDS))
            await service.program.end(signal.SIGKILL, DIES_SECONDS)

    async def _use(self, caller: Caller, service: ServiceProcess) -> None:
        while service.program.running:
            await self._send(caller, f"entry{next(self.numbers)}")

    async def _send(self, caller: Caller, entry: str) -> None:
        account = self.database.accounts[int(entry.removeprefix("entry")) % ACCOUNTS]
        self.ledger.note(entry, await caller.deposit_once(account, entry))
