"""Services whose tills share a cache in Redis: reading, writing, and whether what they answer is right."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from sqlalchemy import select

from app.adapters.cache_redis import RedisCache
from app.composition.container import RunningService, running_service
from app.core.cqrs import Cache
from tests.chaos import bank, tills
from tests.chaos.deliveries import looking
from tests.chaos.oracle import require, until
from tests.chaos.stage import Database
from tests.chaos.tills import LookUpBalance, PayIn

QUIET_SECONDS = 2.0
"""For how long what one service published may be on its way to the other."""


@asynccontextmanager
async def tills_on(database: Database, redis_url: str) -> AsyncIterator[list[RunningService]]:
    """Services that are put together as in production, on one database and one Redis."""
    settings = database.settings(cache_url=redis_url, relay_in_service=False)
    packages = [*bank.PACKAGES, tills.__name__]
    async with running_service(settings, packages) as one, running_service(settings, packages) as other:
        yield [one, other]


async def read(service: RunningService, account: UUID) -> int:
    result = await service.bus.execute_query(LookUpBalance(account))
    require(result.is_success, f"A query was answered {result!r}.")
    return result.unwrap()


async def write(service: RunningService, account: UUID) -> None:
    """Who paid in sees at once, at the same service, that it is there."""
    result = await service.bus.execute_command(PayIn(account))
    require(result.is_success, f"A command was answered {result!r}.")
    seen = await read(service, account)
    require(seen >= result.unwrap(), f"A balance of {seen} was answered after one of {result.unwrap()} was made.")


async def checked(database: Database, services: list[RunningService]) -> int:
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


async def all_trust(services: list[RunningService]) -> bool:
    caches = [await service.container.get(Cache) for service in services]
    assert all(isinstance(cache, RedisCache) for cache in caches), "it is what the settings ask for"
    return all(cache.link.is_trusted for cache in caches if isinstance(cache, RedisCache))
