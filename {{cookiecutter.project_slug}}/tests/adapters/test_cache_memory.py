import pytest

from app.adapters.cache_memory import MemoryCache, open_cache
from tests.databases import settings_for


class Seconds:
    """A clock that goes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def cache(seconds: Seconds) -> MemoryCache:
    return MemoryCache(3, seconds)


async def put(cache: MemoryCache, key: str, *tags: str, ttl: float = 60.0) -> None:
    await cache.set(key, key.encode(), ttl, tags, await cache.generation(tags))


async def test_a_value_comes_back_until_its_time_is_over(cache: MemoryCache, seconds: Seconds) -> None:
    await put(cache, "a", ttl=10)
    seconds.now += 9
    assert await cache.get("a") == (b"a", 1.0, "memory")
    seconds.now += 1
    assert await cache.get("a") is None
    assert await cache.get("never") is None


async def test_what_was_used_least_makes_room(cache: MemoryCache) -> None:
    for key in "abc":
        await put(cache, key)
    await cache.get("a")
    await put(cache, "d")
    assert [await cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    await put(cache, "a")
    await put(cache, "e")
    assert [await cache.get(key) is not None for key in "acde"] == [True, False, True, True]


async def test_forgotten_invalidations_still_count(cache: MemoryCache) -> None:
    """The memory of invalidations is bounded; what may have been invalidated is taken for stale, never for fresh."""
    mark = await cache.generation(["x"])
    await put(cache, "a", "x")
    await put(cache, "no tags")
    await cache.invalidate(["x"])
    for number in range(10):
        await cache.invalidate([f"other{number}"])
    assert await cache.get("a") is None
    await cache.set("a", b"stale", 60, ["x"], mark)
    assert await cache.get("a") is None
    assert await cache.get("no tags") is not None
    await put(cache, "a", "x")
    assert await cache.get("a") is not None


async def test_it_is_as_large_as_the_settings_say() -> None:
    async with open_cache(settings_for("sqlite:///x.db", cache_max_entries=1)) as cache:
        for key in "ab":
            await cache.set(key, b"", 60, (), await cache.generation(()))
        assert [await cache.get(key) is not None for key in "ab"] == [False, True]
