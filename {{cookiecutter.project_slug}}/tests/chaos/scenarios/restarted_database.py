"""PostgreSQL is stopped and started again while twenty callers write."""

import asyncio
import time
from itertools import count
from typing import Literal

from tests.chaos.callers import Caller, callers, share_out
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import require, until
from tests.chaos.postgres import Postgres
from tests.chaos.stage import Database, Stage

WRITERS = 20
FIRST_SUCCESS_SECONDS = 3.0
CALM_SECONDS = 30.0
How = Literal["fast", "immediate"]


async def play(stage: Stage) -> str:
    """In good order and by dropping everything; the service stays the same process throughout."""
    if not stage.has_postgres:
        stage.left_out.append("restarted_database (SQLite has no server to restart)")
        return "left out"
    restarts: list[How] = [*("fast", "immediate")] * stage.size(1, 5)
    return await _under_load(stage, await stage.postgres(accounts=WRITERS), restarts)


async def _under_load(stage: Stage, database: Database, restarts: list[How]) -> str:
    assert database.postgres is not None, "there is a server to restart"
    ledger = Ledger()
    async with stage.service(database) as service, callers(service.url, WRITERS) as people:
        pid, load = service.program.pid, Load(database, ledger)
        async with asyncio.TaskGroup() as tasks:
            for caller in people:
                tasks.create_task(load.write(caller))
            waits = [await _restart(stage, database.postgres, load, how) for how in restarts]
            load.stopped = True
        require(service.program.running and service.program.pid == pid, "The service did not survive.")
        await share_out(sorted(ledger.unknown), people, load.send)
        require(not ledger.unknown, f"{len(ledger.unknown)} retries have no definitive answer.")
        stored = await ledger.check(database.driver_url)
    return f"{len(restarts)} restarts, {stored} stored once, {ledger.faults}, first success {max(waits):.2f} s later"


async def _restart(stage: Stage, server: Postgres, load: "Load", how: How) -> float:
    """How many seconds after the server was back the first write succeeded."""
    await load.success_after(time.monotonic())
    await asyncio.sleep(stage.random.uniform(0, 0.5))
    await server.stop(how)
    stopped = time.monotonic()
    await asyncio.sleep(stage.random.uniform(0.2, 1.5))
    await server.start()
    back = time.monotonic()
    waited = max(0.0, await load.success_after(stopped) - back)
    require(waited <= FIRST_SUCCESS_SECONDS, f"The first write after a restart ({how}) took {waited:.2f} s.")
    return waited


class Load:
    """Callers who write one deposit after the other until they are stopped; only 503 is a good excuse."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._accounts = database.accounts
        self._ledger = ledger
        self._numbers = count()
        self._successes = [0.0]
        self.stopped = False

    async def write(self, caller: Caller) -> None:
        """Go on writing."""
        while not self.stopped:
            await self.send(caller, str(next(self._numbers)))

    async def send(self, caller: Caller, entry: str) -> None:
        """Write one entry."""
        answer = await caller.deposit_once(self._accounts[int(entry) % len(self._accounts)], entry)
        excused = answer is not None and answer.status in (200, 503)
        require(excused, f"A write was answered {answer}.")
        self._ledger.note(entry, answer)
        if entry in self._ledger.acknowledged:
            self._successes.append(time.monotonic())

    async def success_after(self, moment: float) -> float:
        """When the first write succeeded after this moment; waits for it."""

        async def first() -> float | None:
            return next((at for at in self._successes if at > moment), None)

        return await until(first, "A write is to succeed", CALM_SECONDS) or 0.0
