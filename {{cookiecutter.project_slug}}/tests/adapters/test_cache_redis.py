import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest
import redis.asyncio
from redis.exceptions import RedisError

from app.adapters import redis_client, redis_link, redis_turns
from app.adapters.cache_redis import RedisCache, open_cache
from app.adapters.redis_settings import RedisSettings
from app.core.cqrs import ConfigurationError
from tests.adapters import cache_crowd
from tests.caches import REDIS, prefix_in_redis, process_with_cache, put, settings_of, until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("patient_with_redis")]

DEADLINE = 20.0
SERVICE = Path(__file__).parents[2]


@pytest.fixture
async def settings() -> AsyncIterator[RedisSettings]:
    """The settings of a service whose cache nobody else has."""
    async with prefix_in_redis() as prefix:
        yield settings_of(REDIS, prefix)


@pytest.fixture
async def one(settings: RedisSettings) -> AsyncIterator[RedisCache]:
    """The cache of one process."""
    async with process_with_cache(settings) as cache:
        yield cache


@pytest.fixture
async def other(settings: RedisSettings) -> AsyncIterator[RedisCache]:
    """The cache of another process."""
    async with process_with_cache(settings) as cache:
        yield cache


async def level(cache: RedisCache, key: str) -> str | None:
    entry = await cache.get(key)
    return None if entry is None else entry.level


async def until_gone(cache: RedisCache, key: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while await cache.get(key) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_another_process_finds_it_in_redis_and_then_in_its_own_memory(one: RedisCache, other: RedisCache) -> None:
    await put(one, "a", "x")
    assert [await level(one, "a"), await level(other, "a"), await level(other, "a")] == ["memory", "redis", "memory"]


async def test_what_one_process_invalidates_leaves_the_memory_of_all(one: RedisCache, other: RedisCache) -> None:
    for cache in (one, other):
        await put(one, "a", "x")
        assert await level(other, "a") == "redis"
        assert await level(other, "a") == "memory"
        await cache.invalidate(["x"])
        assert await level(cache, "a") is None, "at once, for those who wait for the command"
        await until_gone(one, "a")
        await until_gone(other, "a")


async def test_what_another_process_invalidated_meanwhile_is_not_stored(one: RedisCache, other: RedisCache) -> None:
    mark = await one.generation(["x"])
    await other.invalidate(["x"])
    await one.set("a", b"stale", 60, ["x"], mark)
    assert [await level(one, "a"), await level(other, "a")] == [None, None]


async def test_what_is_stale_does_not_replace_what_is_good(
    settings: RedisSettings, one: RedisCache, other: RedisCache
) -> None:
    mark = await one.generation(["x"])
    await other.invalidate(["x"])
    await put(other, "a", "x")
    await one.set("a", b"stale", 60, ["x"], mark)
    async with process_with_cache(settings) as third:
        assert await level(third, "a") == "redis"


async def test_an_invalidation_that_failed_is_made_up_for(
    one: RedisCache, other: RedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: object) -> None:
        raise TimeoutError

    await put(other, "a", "x")
    with monkeypatch.context() as patch:
        patch.setattr(one, "_invalidate", fail)
        await one.invalidate(["x"])
        assert not one.link.is_trusted
    await until_gone(other, "a")
    await until(lambda: one.link.is_trusted)
    await put(one, "a", "x")
    assert await level(other, "a") == "redis"


async def test_an_invalidation_that_is_cancelled_is_made_up_for(
    one: RedisCache, other: RedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def hang(*arguments: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    await put(one, "a", "x")
    assert await level(other, "a") == "redis"
    with monkeypatch.context() as patch:
        patch.setattr(one, "_invalidate", hang)
        invalidating = asyncio.create_task(one.invalidate(["x"]))
        await begun.wait()
        invalidating.cancel()
        await asyncio.wait([invalidating])
    await until_gone(other, "a")
    await until(lambda: one.link.is_trusted)
    assert await level(one, "a") is None


async def test_two_services_do_not_disturb_each_other(settings: RedisSettings, one: RedisCache) -> None:
    async with (
        prefix_in_redis() as prefix,
        process_with_cache(settings.model_copy(update={"cache_prefix": prefix})) as foreign,
    ):
        await put(one, "a", "x")
        assert await level(foreign, "a") is None
        await put(foreign, "a", "x")
        await foreign.invalidate(["x"])
        assert await level(one, "a") == "memory"


async def test_everything_in_redis_ends_some_day(settings: RedisSettings, one: RedisCache) -> None:
    await put(one, "a", "x")
    async with redis.asyncio.from_url(REDIS) as client, one.loading("a", await one.generation(["x"])):
        keys = [key async for key in client.scan_iter(f"{settings.cache_prefix}:*")]
        assert len(keys) == 4
        assert all([0 < await client.ttl(key) <= 24 * 3600 for key in keys])


async def test_a_tag_lives_as_long_as_its_entries(settings: RedisSettings, one: RedisCache) -> None:
    await one.set("a", b"a value", 1e6, ["x"], await one.generation(["x"]))
    async with redis.asyncio.from_url(REDIS) as client:
        assert await client.ttl(f"{settings.cache_prefix}:tag:x") > 24 * 3600


async def test_a_tag_that_redis_gave_up_for_room_takes_its_entries_along(
    settings: RedisSettings, one: RedisCache, other: RedisCache
) -> None:
    await put(one, "a", "x")
    async with redis.asyncio.from_url(REDIS) as client:
        await client.delete(f"{settings.cache_prefix}:tag:x")
    assert await level(other, "a") is None


async def test_one_process_loads_while_the_others_wait(
    one: RedisCache, other: RedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[int] = []
    may_go = {one: kept_out_of(other, monkeypatch), other: kept_out_of(one, monkeypatch)}

    async def load(cache: RedisCache) -> bool:
        async with cache.loading("a", await cache.generation(["x"])) as another_did:
            inside.append(1)
            assert len(inside) == 1
            if not another_did:
                await may_go[cache].wait()
            inside.pop()
            return another_did

    async with asyncio.timeout(DEADLINE):
        assert sorted(await asyncio.gather(load(one), load(other))) == [False, True]


def kept_out_of(cache: RedisCache, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set as soon as this process has been refused a turn."""
    kept_out, ask = asyncio.Event(), cache.link.ask

    async def noting(*asked: Any, **options: Any) -> Any:
        if not (answer := await ask(*asked, **options)):
            kept_out.set()
        return answer

    monkeypatch.setattr(cache.link, "ask", noting)
    return kept_out


async def test_nobody_waits_for_a_load_that_began_before_a_change(one: RedisCache, other: RedisCache) -> None:
    async with one.loading("a", await one.generation(["x"])):
        await one.invalidate(["x"])
        async with asyncio.timeout(DEADLINE), other.loading("a", await other.generation(["x"])) as another_did:
            assert not another_did


async def test_who_is_cancelled_lets_the_next_one_in(one: RedisCache, other: RedisCache) -> None:
    inside = asyncio.Event()

    async def load_for_ever() -> None:
        async with one.loading("a", await one.generation(["x"])):
            inside.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(DEADLINE):
        loading = asyncio.create_task(load_for_ever())
        await inside.wait()
        loading.cancel()
        async with other.loading("a", await other.generation(["x"])):
            assert loading.done()


async def test_who_dies_keeps_the_others_out_for_a_while_only(
    one: RedisCache, other: RedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def load() -> bool:
        async with other.loading("a", mark) as another_did:
            return another_did

    mark = await one.generation(["x"])
    kept_out = kept_out_of(other, monkeypatch)
    async with asyncio.timeout(DEADLINE), one.loading("a", mark):
        loading = asyncio.create_task(load())
        await kept_out.wait()
        (turn,) = [key async for key in one.link.client.scan_iter(f"{other._prefix}:turn:*")]
        assert 0 < await one.link.client.pttl(turn) <= redis_turns.TURN_MS
        await one.link.client.pexpire(turn, 1)
        assert await loading


async def test_a_turn_that_was_lost_is_not_given_back_for_its_new_owner(
    one: RedisCache, other: RedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = await one.generation(["x"])
    late = one.loading("a", mark)
    async with asyncio.timeout(DEADLINE):
        with monkeypatch.context() as patch:
            patch.setattr(redis_turns, "TURN_MS", 50)
            await late.__aenter__()
        async with other.loading("a", mark):
            await late.__aexit__(None, None, None)
            turn = [key async for key in one.link.client.scan_iter(f"{other._prefix}:turn:*")]
            assert len(turn) == 1


async def test_a_command_that_is_cancelled_leaves_no_answer_behind_for_the_next(one: RedisCache) -> None:
    await put(one, "a", "x")
    for turns in range(1, 30):
        asking = asyncio.create_task(one.link.ask(one.link.client.echo, "cancelled"))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert await one.link.ask(one.link.client.echo, "next") == b"next"


async def test_who_finds_no_free_connection_waits_for_one(one: RedisCache) -> None:
    keys = [f"never {number}" for number in range(5 * redis_client.CONNECTIONS)]
    assert await asyncio.gather(*map(one.get, keys)) == [None] * len(keys)
    assert one.link.is_trusted


async def test_a_message_that_is_none_empties_the_memory(settings: RedisSettings, one: RedisCache) -> None:
    await put(one, "a", "x")
    async with redis.asyncio.from_url(REDIS) as client:
        await client.publish(one.link.channel, b"\xff no message")
    await until(lambda: not one.link.is_trusted)
    await until(lambda: one.link.is_trusted)
    assert await level(one, "a") is None


@pytest.mark.parametrize("url", ["redis://secret@host/0?whatever=1", "redis://secret@[x"])
async def test_a_url_that_makes_no_sense_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CACHE_URL is not a URL of Redis") as raised:
        async with open_cache(settings_of(url, "app")):
            pass
    assert "secret" not in str(raised.value)


class Crowd:
    """Many callers in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def gather(cls, settings: RedisSettings) -> Self:
        """Start it, and wait until it is ready."""
        crowd = cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", cache_crowd.__name__, settings.cache_url, settings.cache_prefix),
                cwd=SERVICE,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )
        assert await crowd.says() == "ready"
        return crowd

    async def says(self) -> str:
        """The next line it prints."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "it goes on"
        return line.decode().strip()

    async def ask(self) -> int:
        """Let them ask, all at once; how many answers were loaded."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return int(await self.says())

    async def end(self) -> None:
        """Kill it."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


async def test_of_two_processes_with_200_misses_each_one_loads_once(settings: RedisSettings) -> None:
    async with asyncio.timeout(60):
        crowds = await asyncio.gather(Crowd.gather(settings), Crowd.gather(settings))
        try:
            assert sum(await asyncio.gather(*(crowd.ask() for crowd in crowds))) == 1
        finally:
            await asyncio.gather(*(crowd.end() for crowd in crowds))


async def test_it_ends_though_a_cancellation_is_lost(settings: RedisSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[RedisCache] = []
    catching_up = asyncio.Event()

    async def lose_one(cache: RedisCache) -> bool:
        catching_up.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if lost:
                raise
        lost.append(cache)
        return True

    monkeypatch.setattr(RedisCache, "catch_up", lose_one)
    monkeypatch.setattr(redis_link, "START_SECONDS", 0.01)

    async def start_and_end() -> None:
        async with process_with_cache(settings):
            await catching_up.wait()

    ended, _ = await asyncio.wait([asyncio.create_task(start_and_end())], timeout=DEADLINE)
    assert (len(ended), len(lost)) == (1, 1)


async def test_it_ends_though_redis_does_not_answer_at_the_end(
    settings: RedisSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[redis.asyncio.Redis] = []
    close = redis.asyncio.Redis.aclose

    async def close_late(client: redis.asyncio.Redis) -> None:
        await close(client)
        closed.append(client)
        raise RedisError

    with monkeypatch.context() as patch:
        patch.setattr(redis.asyncio.Redis, "aclose", close_late)
        async with process_with_cache(settings):
            pass
    assert len(closed) == 1
