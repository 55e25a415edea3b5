"""A Redis that is silent, dead, or has lost everything makes the service slower, and never wrong."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.adapters import redis_client
from app.adapters.cache_redis import RedisCache
from app.adapters.redis_settings import RedisSettings
from tests.caches import process_with_cache, put, redis_to_hurt, settings_of, until
from tests.chaos.redis_server import Redis
from tests.chaos.servers import MissingError

pytestmark = pytest.mark.integration

DEADLINE = 20.0
MANY = 100
SOON_SECONDS = 10.0
"""What many operations take at most in a row if none of them waits for Redis, also on a busy machine."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Redis]:
    """A server of the test's own, which keeps what it has over a restart."""
    try:
        async with redis_to_hurt(tmp_path) as started:
            yield started
    except MissingError as missing:
        pytest.skip(f"{missing}: no Redis was hurt.")


@pytest.fixture
def settings(server: Redis) -> RedisSettings:
    return settings_of(server.url, "app")


@pytest.fixture
async def one(settings: RedisSettings) -> AsyncIterator[RedisCache]:
    """The cache of one process."""
    async with process_with_cache(settings) as cache:
        await until(lambda: cache.link.is_trusted)
        yield cache


@pytest.fixture
async def other(settings: RedisSettings) -> AsyncIterator[RedisCache]:
    """The cache of another process."""
    async with process_with_cache(settings) as cache:
        await until(lambda: cache.link.is_trusted)
        yield cache


async def query(cache: RedisCache) -> None:
    """What the bus does for a miss."""
    await cache.get("missing")
    mark = await cache.generation(["x"])
    async with cache.loading("missing", mark) as another_did:
        assert not another_did
        await cache.set("missing", b"a value", 60, ["x"], mark)


async def until_kept(cache: RedisCache) -> None:
    """Store something until it is there: a moment of silence is an outage here, also of this busy machine."""
    async with asyncio.timeout(DEADLINE):
        while True:
            await put(cache, "a", "x")
            if await cache.get("a") is not None:
                return
            await asyncio.sleep(0.005)


async def require_that_nobody_waits(cache: RedisCache) -> None:
    """Fail if each query waits for a Redis that does not answer."""
    assert MANY * redis_client.ANSWER_SECONDS > SOON_SECONDS
    async with asyncio.timeout(SOON_SECONDS):
        for _ in range(MANY):
            await query(cache)


async def test_a_silent_redis_delays_one_query_a_little_and_the_next_not_at_all(server: Redis, one: RedisCache) -> None:
    await until_kept(one)
    server.fall_silent()
    async with asyncio.timeout(SOON_SECONDS):
        await asyncio.gather(*(query(one) for _ in range(MANY)))
    await require_that_nobody_waits(one)
    assert await one.get("a") is None, "nobody knows whether it is still good"
    server.speak()
    await until(lambda: one.link.is_trusted)
    await until_kept(one)


async def test_memory_is_not_trusted_long_after_redis_fell_silent(server: Redis, one: RedisCache) -> None:
    await until_kept(one)
    server.fall_silent()
    async with asyncio.timeout(SOON_SECONDS):
        await until(lambda: not one.link.is_trusted)
    assert await one.get("a") is None
    server.speak()


@pytest.mark.parametrize("speaks", ["one", "other"])
async def test_an_invalidation_that_redis_did_not_hear_is_made_up_for(
    server: Redis, one: RedisCache, other: RedisCache, speaks: str
) -> None:
    """Though the one who could not tell is dead by the time that Redis is back."""
    await put(one, "a", "x")
    await other.get("a")
    server.fall_silent()
    await until(lambda: not one.link.is_trusted and not other.link.is_trusted)
    await (one if speaks == "one" else other).invalidate(["x"])
    server.speak()
    await until(lambda: one.link.is_trusted)
    assert await one.get("a") is None
    await until(lambda: other.link.is_trusted)
    assert await other.get("a") is None


async def test_a_redis_that_came_back_with_what_it_had_is_not_believed(server: Redis, one: RedisCache) -> None:
    await put(one, "a", "x")
    mark = await one.generation(["x"])
    await server.kill()
    await until(lambda: not one.link.is_trusted)
    await one.invalidate(["x"])
    await server.start()
    await until(lambda: one.link.is_trusted)
    assert await one.get("a") is None
    await one.set("a", b"stale", 60, ["x"], mark)
    assert await one.get("a") is None
    await until_kept(one)


async def test_a_redis_that_lost_everything_takes_nothing_of_before(server: Redis, one: RedisCache) -> None:
    await put(one, "a", "x")
    mark = await one.generation(["x"])
    await server.kill()
    server.lose_everything()
    await until(lambda: not one.link.is_trusted)
    await one.invalidate(["x"])
    await server.start()
    await until(lambda: one.link.is_trusted)
    await one.generation(["x"])
    await one.set("a", b"stale", 60, ["x"], mark)
    assert await one.get("a") is None
    async with asyncio.timeout(DEADLINE):
        while await one.get("missing") is None:  # its scripts are there again
            await query(one)
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("patient_with_redis")
async def test_what_is_published_while_nobody_listens_is_not_missed(
    server: Redis, one: RedisCache, other: RedisCache
) -> None:
    await put(one, "a", "x")
    await other.link.client.client_kill_filter(_type="pubsub")
    await other.invalidate(["x"])
    async with asyncio.timeout(DEADLINE):
        while await one.get("a") is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_who_waits_for_another_process_goes_on_when_redis_is_gone(
    server: Redis, one: RedisCache, other: RedisCache
) -> None:
    mark = await one.generation(["x"])
    async with one.loading("a", mark):
        waiting = asyncio.create_task(query_of(other))
        await asyncio.sleep(0)
        await server.kill()
        async with asyncio.timeout(SOON_SECONDS):
            await waiting


async def query_of(cache: RedisCache) -> None:
    async with cache.loading("a", await cache.generation(["x"])):
        pass


async def test_the_service_starts_without_redis(server: Redis, settings: RedisSettings) -> None:
    await server.kill()
    async with process_with_cache(settings) as cache:
        assert not cache.link.is_trusted
        await require_that_nobody_waits(cache)
        await server.start()
        await until(lambda: cache.link.is_trusted)
        await until_kept(cache)


@pytest.mark.usefixtures("patient_with_redis")
async def test_a_redis_that_is_full_serves_what_it_has_and_takes_nothing_more(
    one: RedisCache, other: RedisCache
) -> None:
    await until_kept(one)
    admin = one.link.client
    await admin.config_set("maxmemory", 1)
    with capture_logs() as logs:
        for _ in range(2):
            await query(other)
    assert await other.get("missing") is None
    assert (await other.get("a")) is not None
    assert other.link.is_trusted
    assert [line["event"] for line in logs] == ["cache_refused"]
    await other.invalidate(["x"])
    async with asyncio.timeout(DEADLINE):
        while await one.get("a") is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await admin.config_set("maxmemory", 0)
    await until_kept(other)


@pytest.mark.usefixtures("patient_with_redis")
async def test_a_key_that_somebody_else_uses_is_a_miss_and_taken_over(one: RedisCache) -> None:
    await one.link.client.rpush("app:entry:a", "somebody's")
    assert await one.get("a") is None
    assert one.link.is_trusted
    await until_kept(one)
