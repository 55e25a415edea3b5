"""Two services share a cache in Redis, which falls silent, dies and loses everything while they read and write."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from sqlalchemy import select

from app.adapters.cache_redis import RedisCache
from app.core.container import RunningService, running_service
from app.core.cqrs import Cache
from tests.chaos import bank, tills
from tests.chaos.brokers import Redis
from tests.chaos.deliveries import looking
from tests.chaos.oracle import require, until
from tests.chaos.servers import MissingError
from tests.chaos.stage import Database, Stage
from tests.chaos.tills import LookUpBalance, PayIn
from tests.chaos.witnesses import broker

SERVICES = 2
ACCOUNTS = 20
READERS = 10
WRITERS = 2
QUIET_SECONDS = 2.0
"""For how long what one service published may be on its way to the other."""
BACK_SECONDS = 10.0
MOST_SECONDS_MORE = 0.3


async def play(stage: Stage) -> str:
    """First races with a Redis that is well, then outages under load."""
    races = stage.size(200, 1000)
    database = await (stage.postgres if stage.has_postgres else stage.sqlite)(races)
    try:
        async with broker(stage, Redis) as server, tills_on(database, server.url) as services:
            assert isinstance(server, Redis)
            hits = await _races(stage, database, services)
            slower = await _outages(stage, server, database, services)
    except MissingError as missing:
        stage.left_out.append(f"cache ({missing})")
        return "left out"
    return f"{races} races, {hits} hits afterwards, none stale; {slower}"


@asynccontextmanager
async def tills_on(database: Database, redis_url: str) -> AsyncIterator[list[RunningService]]:
    """Services that are put together as in production, on one database and one Redis."""
    settings = database.settings(cache_url=redis_url, relay_in_service=False)
    packages = [bank.__name__, tills.__name__]
    async with running_service(settings, packages) as one, running_service(settings, packages) as other:
        yield [one, other]


async def _races(stage: Stage, database: Database, services: list[RunningService]) -> int:
    """Slow readers against writers, on an account for each race; how many entries there are when it is quiet."""
    for number in range(0, len(database.accounts), 10):
        await asyncio.gather(*(_race(stage, services, account) for account in database.accounts[number : number + 10]))
    return await _checked(database, services)


async def _race(stage: Stage, services: list[RunningService], account: UUID) -> None:
    async def later(do: Callable[[RunningService, UUID], Awaitable[object]]) -> None:
        await asyncio.sleep(stage.random.uniform(0, 2 * tills.SLOWEST_SECONDS))
        await do(stage.random.choice(services), account)

    await asyncio.gather(*(later(do) for do in (_read, _read, _read, _read, _write, _write)))


async def _read(service: RunningService, account: UUID) -> int:
    result = await service.bus.execute_query(LookUpBalance(account))
    require(result.is_success, f"A query was answered {result!r}.")
    return result.unwrap()


async def _write(service: RunningService, account: UUID) -> None:
    """Who paid in sees at once, at the same service, that it is there."""
    result = await service.bus.execute_command(PayIn(account))
    require(result.is_success, f"A command was answered {result!r}.")
    seen = await _read(service, account)
    require(seen >= result.unwrap(), f"A balance of {seen} was answered after one of {result.unwrap()} was made.")


async def _checked(database: Database, services: list[RunningService]) -> int:
    """Whether everybody answers what is in the database; how many answers came from a cache."""
    async with looking(database) as connection:
        rows = await connection.execute(select(bank.accounts.c.id, bank.accounts.c.balance))
        balances = {row.id: row.balance for row in rows}
    hits = 0
    for service in services:
        for account, balance in balances.items():
            agrees = partial(_agrees, service, account, balance)
            hits += await until(agrees, "A stale answer is to go", QUIET_SECONDS) == "hit"
    return hits


async def _agrees(service: RunningService, account: UUID, balance: int) -> str:
    """Whether the answer is right, and then how it came about; empty when it is stale."""
    result = await service.bus.execute_query(LookUpBalance(account))
    assert result.cache_info is not None, "the handler has @cached_query"
    if result.unwrap() != balance:
        return ""
    return "hit" if result.cache_info["hit"] else "read"


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
        for do, how_many, pause in ((_read, READERS, 0.005), (_write, WRITERS, 0.05)):
            for _ in range(how_many):
                tasks.create_task(load.go_on(do, pause))
        await asyncio.sleep(seconds)
        well = load.percentile()
        for name, outage in outages.items():
            await outage(server, seconds)
            await until(lambda: _all_trust(services), f"The cache is to be used again ({name})", BACK_SECONDS)
            more = load.percentile() - well
            require(more <= MOST_SECONDS_MORE, f"p99 was {more:.3f} s more while Redis was {name}.")
            said.append(f"{name} {more * 1000:+.0f} ms")
        load.stopped = True
    await _checked(database, services)
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


async def _all_trust(services: list[RunningService]) -> bool:
    caches = [await service.container.get(Cache) for service in services]
    assert all(isinstance(cache, RedisCache) for cache in caches), "it is what the settings ask for"
    return all(cache.link.is_trusted for cache in caches if isinstance(cache, RedisCache))
