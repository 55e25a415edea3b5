"""kill -9 of the service at every point of a command, while others are at work."""

import asyncio
import random
from itertools import islice

from tests.chaos.callers import Caller, ServiceProcess, callers, share_out
from tests.chaos.crash import HEADER, POINTS
from tests.chaos.ledger import Play
from tests.chaos.oracle import require
from tests.chaos.stage import Stage

CALLERS = 5
EACH = 4
DEATH_SECONDS = 10.0


async def play(stage: Stage) -> str:
    """Kill the service at each point, on each database; with FULL=1 twenty times."""
    databases = [database async for database in stage.databases(5)]
    dice = [random.Random(stage.random.random()) for _ in databases]
    # Most of the time goes into starting the service, which takes one core: so the databases go side by side.
    lines = await asyncio.gather(
        *(Victim(stage, *pair).play(stage.size(1, 20)) for pair in zip(databases, dice, strict=True))
    )
    return "; ".join(lines)


class Victim(Play):
    """The service on one database, which is killed again and again."""

    async def play(self, times: int) -> str:
        """Kill it so many times at each point, in random order."""
        points = [*POINTS] * times
        self.dice.shuffle(points)
        async with self.stage.service(self.database) as service:
            for point in points:
                await self._kill(point, service)
            stored = await self.ledger.check(self.database.driver_url)
        return f"{self.database.kind} {len(points)} kills, {stored} deposits stored once, {self.ledger.faults}"

    async def _kill(self, point: str, service: ServiceProcess) -> None:
        """One of the entries kills the service; when it is back, all are sent again, and all are answered."""
        entries = [f"entry{number}" for number in islice(self.numbers, CALLERS * EACH)]
        account_of = {entry: self.dice.choice(self.database.accounts) for entry in entries}
        headers = {self.dice.choice(entries): {HEADER: point}}

        async def send(caller: Caller, entry: str) -> None:
            answer = await caller.deposit_once(account_of[entry], entry, **headers.get(entry, {}))
            self.ledger.note(entry, answer)

        async with callers(service.url, CALLERS) as people:
            await share_out(entries, people, send)
        await service.program.ended(DEATH_SECONDS)
        await service.start()
        headers.clear()  # nothing kills it when all are sent again
        async with callers(service.url, CALLERS) as people:
            await share_out(entries, people, send)
        undecided = [entry for entry in entries if entry not in self.ledger.acknowledged]
        require(not undecided, f"{len(undecided)} retries at {point} were not acknowledged: {self.ledger.faults}.")
