"""Tries are counted once for all processes where there is a Redis, in a table with an end where there is none."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio
from structlog.testing import capture_logs

from app.adapters import throttle_redis
from app.adapters.redis_client import connected
from app.adapters.throttle_memory import MOST_COUNTED, MemoryThrottle
from app.adapters.throttle_redis import RedisThrottle
from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import ConfigurationError, OperationStatus, RateLimitedError
from app.domain.ports import Throttle
from app.handlers.user.login_handler import LoginCommand
from tests.caches import REDIS, prefix_in_redis, redis_to_hurt, wait_for_redis
from tests.chaos.redis_server import Redis
from tests.chaos.servers import MissingError
from tests.databases import SqliteFiles, settings_for
from tests.lifespan import service_with
from tests.users import PASSWORD, People


class Seconds:
    """A clock that goes only when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def is_counted(throttle: Throttle, what: str) -> bool:
    """Try; whether it was allowed."""
    try:
        await throttle.count(what)
    except RateLimitedError:
        return False
    return True


async def tries_until_refused(throttle: Throttle, what: str, most: int = 100) -> int:
    """How many tries are allowed now."""
    for number in range(most):
        if not await is_counted(throttle, what):
            return number
    return most


# --- in memory


async def test_a_hundred_thousand_accounts_take_bounded_memory() -> None:
    throttle = MemoryThrottle(10, 300)
    tracemalloc.start()
    try:
        for number in range(100_000):
            await throttle.count(f"login:{number}@{'x' * 230}.example")
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(throttle._number) == MOST_COUNTED
    assert taken < 7 * 2**20, f"{taken / 2**20:.1f} MiB"


@pytest.mark.parametrize("tried", [2, 5, 10])
async def test_a_flood_of_other_names_frees_nobody(tried: int) -> None:
    """Who was tried twice or more outlives any number of names that were tried less often."""
    throttle = MemoryThrottle(10, 300, Seconds(), most=100)
    for _ in range(tried):
        await throttle.count("victim")
    for number in range(10_000):
        await throttle.count(f"name {number}")
    assert await tries_until_refused(throttle, "victim") == 10 - tried


@pytest.mark.parametrize(("last_tries", "left"), [(1, 0), (2, 0), (3, 3)])
async def test_to_free_somebody_takes_as_many_tries_of_all_that_is_counted(last_tries: int, left: int) -> None:
    throttle = MemoryThrottle(3, 300, Seconds(), most=10)
    assert await tries_until_refused(throttle, "victim") == 3
    for number in range(8):
        assert await tries_until_refused(throttle, f"name {number}") == 3
    for _ in range(last_tries):
        await throttle.count("the last name")
    await throttle.count("one more")
    assert await tries_until_refused(throttle, "victim") == left


async def test_what_is_over_makes_room_before_what_counts() -> None:
    seconds = Seconds()
    throttle = MemoryThrottle(3, 60, seconds, most=10)
    for number in range(10):
        assert await tries_until_refused(throttle, f"old {number}") == 3
    seconds.now = 60
    await throttle.count("victim")
    for number in range(8):
        await throttle.count(f"name {number}")
    assert await tries_until_refused(throttle, "victim") == 2
    assert len(throttle._number) <= 10


async def test_a_window_begins_with_the_first_try_and_is_forgiven() -> None:
    seconds = Seconds()
    throttle = MemoryThrottle(2, 60, seconds)
    assert await tries_until_refused(throttle, "ada") == 2
    seconds.now = 59
    assert not await is_counted(throttle, "ada")
    await throttle.forgive("ada")
    await throttle.forgive("nobody")
    assert await tries_until_refused(throttle, "ada") == 2
    seconds.now = 59 + 60
    assert await tries_until_refused(throttle, "ada") == 2


async def test_what_is_taken_back_leaves_nothing_behind() -> None:
    throttle = MemoryThrottle(3, 60, Seconds(), most=2)
    for number in range(100):
        for change in (throttle.count, throttle.count, throttle.take_back, throttle.take_back, throttle.take_back):
            await change(f"name {number}")
    assert (throttle._number, [*map(len, throttle._until)]) == ({}, [0, 0, 0])


# --- in Redis


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[RedisThrottle, RedisThrottle]]:
    """The throttles of two processes."""
    wait_for_redis(monkeypatch)
    async with prefix_in_redis() as prefix, connected(REDIS) as here, connected(REDIS) as there:
        yield RedisThrottle(here, prefix, b"secret", 4, 300), RedisThrottle(there, prefix, b"secret", 4, 300)


@pytest.mark.integration
async def test_processes_allow_together_what_one_allows(pair: tuple[RedisThrottle, RedisThrottle]) -> None:
    tries = [is_counted(throttle, "ada") for throttle in pair * 10]
    assert sum(await asyncio.gather(*tries)) == 4
    assert await is_counted(pair[1], "bob")


@pytest.mark.integration
async def test_what_one_process_forgives_all_do(pair: tuple[RedisThrottle, RedisThrottle]) -> None:
    one, other = pair
    assert await tries_until_refused(one, "ada") == 4
    await other.forgive("ada")
    assert await tries_until_refused(one, "ada") == 4
    with pytest.raises(RateLimitedError) as raised:
        await other.count("ada")
    assert raised.value.details["retry_after"] == pytest.approx(300, abs=10)


@pytest.mark.integration
async def test_what_one_process_takes_back_counts_nowhere(pair: tuple[RedisThrottle, RedisThrottle]) -> None:
    one, other = pair
    await other.take_back("ada")
    assert await tries_until_refused(one, "ada") == 4
    for _ in range(2):
        await other.take_back("ada")
    assert await tries_until_refused(one, "ada") == 2
    await one.take_back("ada")
    await one.count("ada")
    with pytest.raises(RateLimitedError) as raised:
        await other.count("ada")
    assert raised.value.details["retry_after"] == pytest.approx(300, abs=10), "the window stays"


@pytest.mark.integration
async def test_a_window_in_redis_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_redis(monkeypatch)
    async with prefix_in_redis() as prefix, connected(REDIS) as client:
        throttle = RedisThrottle(client, prefix, b"secret", 1, 0.05)
        assert await is_counted(throttle, "ada")
        async with asyncio.timeout(20):
            while not await is_counted(throttle, "ada"):  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@pytest.mark.integration
async def test_redis_is_told_no_name_and_keeps_nothing_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_redis(monkeypatch)
    async with prefix_in_redis() as prefix, connected(REDIS) as client:
        for secret in (b"one", b"another"):
            await RedisThrottle(client, prefix, secret, 4, 300).count("ada@example.org")
        async with redis.asyncio.from_url(REDIS) as reader:
            keys = {key async for key in reader.scan_iter(f"{prefix}:*")}
            assert len(keys) == 2
            assert all(b"ada" not in key for key in keys)
            assert all([0 < await reader.pttl(key) <= 300_000 for key in keys])


@pytest.mark.integration
@pytest.mark.parametrize("way", ["login", "password"])
async def test_services_that_share_a_redis_share_the_tries(
    sqlite_files: SqliteFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    wait_for_redis(monkeypatch)
    async with prefix_in_redis() as prefix, AsyncExitStack() as stack:
        with sqlite_files.fresh(tmp_path) as url:
            settings = settings_for(url, cache_url=REDIS, cache_prefix=prefix, login_attempts=4)
            one, other = [await stack.enter_async_context(service_with(settings)) for _ in range(2)]
            ada = await People(one.bus).member()
            login = ada.username if way == "login" else ada.email
            results = [await guess(service, login) for service in (one, other) * 3]
            assert results == [OperationStatus.UNAUTHENTICATED] * 4 + [OperationStatus.RATE_LIMITED] * 2


async def guess(service: RunningService, login: str) -> OperationStatus:
    return (await service.bus.execute_command(LoginCommand(login, f"not {PASSWORD}"))).status


# --- without the Redis there should be


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Redis]:
    """A server of the test's own."""
    try:
        async with redis_to_hurt(tmp_path) as started:
            yield started
    except MissingError as missing:
        pytest.skip(f"{missing}: no Redis was hurt.")


@pytest.mark.integration
async def test_while_redis_is_gone_each_process_counts_for_itself(
    server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_redis(monkeypatch)
    seconds = Seconds()
    async with connected(server.url) as client:
        throttle = RedisThrottle(client, "app", b"secret", 3, 300, seconds)
        with capture_logs() as logs:
            assert await tries_until_refused(throttle, "ada") == 3
            await server.kill()
            assert await tries_until_refused(throttle, "ada") == 3
            assert await tries_until_refused(throttle, "bob") == 3
            await throttle.take_back("ada")
            assert await tries_until_refused(throttle, "ada") == 1
            await throttle.forgive("bob")
            seconds.now += throttle_redis.PAUSE_SECONDS
            assert await is_counted(throttle, "bob")
            await server.start()
            seconds.now += throttle_redis.PAUSE_SECONDS
            assert await tries_until_refused(throttle, "carol") == 3
        assert [line["event"] for line in logs] == ["throttle_lost", "throttle_restored"]


async def test_a_redis_that_is_not_there_is_not_asked_for_every_login(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, asked = Seconds(), 0
    async with connected("redis://127.0.0.1:1/0") as client:
        throttle = RedisThrottle(client, "app", b"secret", 3, 300, seconds)
        ask = throttle._count

        async def count_asked(*arguments: Any) -> Any:
            nonlocal asked
            asked += 1
            return await ask(*arguments)

        monkeypatch.setattr(throttle, "_count", count_asked)
        for _ in range(50):
            await throttle.count(uuid4().hex)
        assert asked == 1
        seconds.now += throttle_redis.PAUSE_SECONDS
        await throttle.count("ada")
        assert asked == 2


async def test_the_throttle_is_where_the_cache_is(sqlite_files: SqliteFiles, tmp_path: Path) -> None:
    with sqlite_files.fresh(tmp_path) as url:
        settings: Settings = settings_for(url)
        for cache_url, kind in (("memory://", MemoryThrottle), ("redis://127.0.0.1:1/0", RedisThrottle)):
            async with service_with(settings.model_copy(update={"cache_url": cache_url})) as service:
                assert isinstance(await service.container.get(Throttle), kind)
        with pytest.raises(ConfigurationError, match="CACHE_URL"):
            async with service_with(settings.model_copy(update={"cache_url": "memcached://hunter2"})):
                pass
