"""Two services share a cache in Redis, which falls silent, dies and loses everything while they read and write."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from app.composition.container import RunningService
from tests.caches import redis_to_hurt
from tests.chaos import tills
from tests.chaos.oracle import require, until
from tests.chaos.redis_server import Redis
from tests.chaos.servers import MissingError
from tests.chaos.shared_tills import all_trust, checked, read, tills_on, write
from tests.chaos.stage import Database, Stage

ACCOUNTS = 20
READERS = 10
WRITERS = 2
BACK_SECONDS = 10.0
MOST_SECONDS_MORE = 0.3


async def play(stage: Stage) -> str:
    """First races with a Redis that is well, then outages under load."""
    races = stage.size(200, 400)
    database = await (stage.postgres if stage.has_postgres else stage.sqlite)(races)
    try:
        async with (
            redis_to_hurt(Path(tempfile.mkdtemp(dir=stage.folder))) as server,
            tills_on(database, server.url) as services,
        ):
            hits = await _races(stage, database, services)
            slower = await _outages(stage, server, database, services)
    except MissingError as missing:
        stage.left_out.append(f"cache ({missing})")
        return "left out"
    return f"{races} races, {hits} hits afterwards, none stale; {slower}"


async def _races(stage: Stage, database: Database, services: list[RunningService]) -> int:
    """Slow readers against writers, on an account for each race; how many entries there are when it is quiet."""
    for number in range(0, len(database.accounts), 10):
        await asyncio.gather(*(_race(stage, services, account) for account in database.accounts[number : number + 10]))
    return await checked(database, services)


async def _race(stage: Stage, services: list[RunningService], account: UUID) -> None:
    async def later(do: Callable[[RunningService, UUID], Awaitable[object]]) -> None:
        await asyncio.sleep(stage.random.uniform(0, 2 * tills.SLOWEST_SECONDS))
        await do(stage.random.choice(services), account)

    await asyncio.gather(*(later(do) for do in (read, read, read, read, write, write)))


class Load:
    """Readers and writers who go on until they are stopped."""

    def __init__(self, stage: Stage, services: list[RunningService], accounts: list[UUID]) -> None:
        self._random = stage.random
        self._services = services
        self._accounts = accounts
        self.seconds: list[float] = []
        self.stopped = False

    async def go_on(self, do: Callable[[RunningService, UUID], Awaitable[object]], pause: float) -> None:
        """One after the other, with a short pause, as callers over HTTP have."""
        while not self.stopped:
            started = time.monotonic()
            await do(self._random.choice(self._services), self._random.choice(self._accounts))
            self.seconds.append(time.monotonic() - started)
            await asyncio.sleep(pause)

    def percentile(self) -> float:
        """What 99 of 100 took at most since this was asked last, in seconds."""
        seconds, self.seconds = sorted(self.seconds), []
        return seconds[int(len(seconds) * 0.99)]


async def _outages(stage: Stage, server: Redis, database: Database, services: list[RunningService]) -> str:
    load = Load(stage, services, list(database.accounts[:ACCOUNTS]))
    seconds = stage.size(2, 10)
    outages = {"silent": _silent, "killed": _killed, "emptied": _emptied}
    said: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        for do, how_many, pause in ((read, READERS, 0.005), (write, WRITERS, 0.05)):
            for _ in range(how_many):
                tasks.create_task(load.go_on(do, pause))
        await asyncio.sleep(seconds)
        well = load.percentile()
        for name, outage in outages.items():
            await outage(server, seconds)
            await until(lambda: all_trust(services), f"The cache is to be used again ({name})", BACK_SECONDS)
            more = load.percentile() - well
            require(more <= MOST_SECONDS_MORE, f"p99 was {more:.3f} s more while Redis was {name}.")
            said.append(f"{name} {more * 1000:+.0f} ms")
        load.stopped = True
    await checked(database, services)
    return f"p99 {well * 1000:.0f} ms, {', '.join(said)}"


async def _silent(server: Redis, seconds: float) -> None:
    server.fall_silent()
    await asyncio.sleep(seconds)
    server.speak()


async def _killed(server: Redis, seconds: float) -> None:
    await server.kill()
    await asyncio.sleep(seconds)
    await server.start()


async def _emptied(server: Redis, seconds: float) -> None:
    await server.kill()
    server.lose_everything()
    await server.start()
    await asyncio.sleep(seconds)
