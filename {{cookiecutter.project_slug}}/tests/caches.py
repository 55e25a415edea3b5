"""Caches for tests: in Redis under a prefix of their own, on the server of the machine or on one that may be hurt."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio

from app.adapters.cache_redis import RedisCache, open_cache
from app.core.config import Settings
from tests.chaos.brokers import Redis
from tests.databases import settings_for

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
"""A server on which tests may make and remove keys under prefixes of their own; nothing else of it is touched."""


def do_without(sentence: str) -> None:
    """Skip a test that needs a server, or fail it where servers are required."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@asynccontextmanager
async def prefix_in_redis() -> AsyncIterator[str]:
    """A prefix that nobody else has; its keys are gone afterwards."""
    prefix = f"test_{uuid4().hex}"
    async with redis.asyncio.from_url(REDIS, socket_timeout=5) as client:
        try:
            await client.ping()
        except (redis.RedisError, OSError) as error:
            do_without(f"Redis does not answer on {REDIS} ({error}): the cache was tested in memory alone.")
        yield prefix
        async for key in client.scan_iter(f"{prefix}:*"):
            await client.delete(key)


def settings_of(url: str, prefix: str, **values: Any) -> Settings:
    """The settings of a process that has its cache there."""
    return settings_for("sqlite:///none.db", cache_url=url, cache_prefix=prefix, **values)


@asynccontextmanager
async def process_with_cache(settings: Settings) -> AsyncIterator[RedisCache]:
    """The cache as a process of its own would have it."""
    async with open_cache(settings) as cache:
        assert isinstance(cache, RedisCache)
        yield cache


@asynccontextmanager
async def redis_to_hurt(folder: Path) -> AsyncIterator[Redis]:
    """A server of the test's own.

    Raises:
        MissingError: it is not installed.
    """
    server = Redis(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.remove()
