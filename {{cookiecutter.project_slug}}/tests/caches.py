"""Caches for tests: in Redis under a prefix of their own, on the server of the machine or on one that may be hurt."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio

from app.adapters import redis_client, redis_link, redis_turns
from app.adapters.cache_redis import RedisCache, open_cache
from app.adapters.redis_settings import RedisSettings
from tests.chaos.redis_server import Redis
from tests.databases import part_settings
from tests.surroundings import require_server

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
"""A server on which tests may make and remove keys under prefixes of their own; nothing else of it is touched."""

PATIENCE_SECONDS = 20.0


@asynccontextmanager
async def prefix_in_redis() -> AsyncIterator[str]:
    """A prefix that nobody else has; its keys are gone afterwards."""
    prefix = f"test_{uuid4().hex}"
    require_server(REDIS, "the cache was tested in memory alone")
    async with redis.asyncio.from_url(REDIS, socket_timeout=5) as client:
        yield prefix
        async for key in client.scan_iter(f"{prefix}:*"):
            await client.delete(key)


def wait_for_redis(patch: pytest.MonkeyPatch) -> None:
    """Let no cache take a Redis that is well for one in trouble because this machine is busy."""
    for module in (redis_client, redis_link):
        patch.setattr(module, "ANSWER_SECONDS", PATIENCE_SECONDS)
    patch.setattr(redis_link, "START_SECONDS", PATIENCE_SECONDS)
    patch.setattr(redis_turns, "TURN_MS", 60_000)


def settings_of(url: str, prefix: str, **values: Any) -> RedisSettings:
    """The settings of a process that has its cache there."""
    return part_settings(RedisSettings, cache_url=url, cache_prefix=prefix, **values)


@asynccontextmanager
async def process_with_cache(settings: RedisSettings) -> AsyncIterator[RedisCache]:
    """The cache as a process of its own would have it."""
    async with open_cache(settings) as cache:
        assert isinstance(cache, RedisCache)
        yield cache


@asynccontextmanager
async def shared_cache(patch: pytest.MonkeyPatch) -> AsyncIterator[RedisCache]:
    """A cache that nobody else has, on the server of the machine."""
    wait_for_redis(patch)
    async with prefix_in_redis() as prefix, process_with_cache(settings_of(REDIS, prefix)) as cache:
        yield cache


@asynccontextmanager
async def redis_to_hurt(folder: Path) -> AsyncIterator[Redis]:
    """A server of the test's own.

    Raises:
        MissingError: it is not installed.
    """
    server = Redis(folder)
    with socket.socket() as bound:  # while the server is away, nobody else on this machine gets its port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", server.port))
        await server.start()
        try:
            yield server
        finally:
            await server.remove()


async def put(cache: RedisCache, key: str, *tags: str) -> None:
    """Store something."""
    await cache.set(key, b"a value", 60, tags, await cache.generation(tags))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
