"""kill -9 of the service at every point of a command, while others are at work."""

import asyncio
import random
from itertools import count, islice

from tests.chaos.callers import Caller, ServiceProcess, callers, share_out
from tests.chaos.crash import HEADER, POINTS
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import require
from tests.chaos.stage import Database, Stage

OTHERS = 5
EACH = 4
DIES_SECONDS = 10.0


async def play(stage: Stage) -> str:
    """Each point is met a number of times, on each database."""
    databases = [database async for database in stage.databases(5)]
    dice = [random.Random(stage.random.random()) for _ in databases]
    # Most of the time goes into starting the service, which takes one core: so they go side by side.
    lines = await asyncio.gather(
        *(Victim(stage, *pair).play(stage.size(1, 20)) for pair in zip(databases, dice, strict=True))
    )
    return "; ".join(lines)


class Victim:
    """The service on one database, which is killed again and again."""

    def __init__(self, stage: Stage, database: Database, dice: random.Random) -> None:
        self._stage = stage
        self._database = database
        self._dice = dice
        self._ledger = Ledger()
        self._numbers = count(1)

    async def play(self, times: int) -> str:
        """Kill it so many times at each point, in no order."""
        points = [*POINTS] * times
        self._dice.shuffle(points)
        async with self._stage.service(self._database) as service:
            for point in points:
                await self._kill(point, service)
            stored = await self._ledger.check(self._database.driver_url)
        return f"{self._database.kind} {len(points)} kills, {stored} deposits stored once, {self._ledger.faults}"

    async def _kill(self, point: str, service: ServiceProcess) -> None:
        """One of the entries kills the service; when it is back, all are sent again, and all are answered."""
        entries = [f"entry{number}" for number in islice(self._numbers, OTHERS * EACH)]
        account_of = {entry: self._dice.choice(self._database.accounts) for entry in entries}
        headers = {self._dice.choice(entries): {HEADER: point}}

        async def send(caller: Caller, entry: str) -> None:
            answer = await caller.deposit_once(account_of[entry], entry, **headers.get(entry, {}))
            self._ledger.note(entry, answer)

        async with callers(service.url, OTHERS) as people:
            await share_out(entries, people, send)
        await service.program.ended(DIES_SECONDS)
        await service.start()
        headers.clear()
        async with callers(service.url, OTHERS) as people:
            await share_out(entries, people, send)
        undecided = [entry for entry in entries if entry not in self._ledger.acknowledged]
        require(not undecided, f"{len(undecided)} retries at {point} have no definitive answer: {self._ledger.faults}.")
