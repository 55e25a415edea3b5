"""All caches keep the same promises."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.adapters.cache_memory import MemoryCache
from app.core.cqrs import Cache
from app.core.parts import optional

DEADLINE = 20.0
SHARED = optional("tests.caches")
KINDS = ["memory", *([pytest.param("shared", marks=pytest.mark.integration)] if SHARED else [])]


@pytest.fixture(params=KINDS)
async def cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cache]:
    """Every test runs with every cache."""
    if request.param == "memory":
        yield MemoryCache(100)
        return
    assert SHARED is not None
    async with SHARED.shared_cache(monkeypatch) as opened:
        yield opened


async def put(cache: Cache, key: str, *tags: str, value: bytes = b"a value", ttl: float = 60.0) -> None:
    await cache.set(key, value, ttl, tags, await cache.generation(tags))


async def there(cache: Cache, *keys: str) -> list[bool]:
    return [await cache.get(key) is not None for key in keys]


async def test_a_value_comes_back_with_the_time_it_has_left(cache: Cache) -> None:
    await put(cache, "a", value=b"\xff\x00{")
    entry = await cache.get("a")
    assert entry is not None
    assert entry.value == b"\xff\x00{"
    assert entry.level == "memory"
    assert entry.ttl_seconds == pytest.approx(60, abs=10)
    assert await cache.get("never") is None


async def test_its_time_ends(cache: Cache) -> None:
    await put(cache, "a", ttl=0.05)
    async with asyncio.timeout(DEADLINE):
        while await cache.get("a") is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_time_may_be_as_long_as_it_likes(cache: Cache) -> None:
    await put(cache, "a", ttl=1e30)
    assert await there(cache, "a") == [True]


async def test_an_empty_value_is_a_value(cache: Cache) -> None:
    await put(cache, "a", value=b"")
    entry = await cache.get("a")
    assert entry is not None
    assert entry.value == b""


async def test_the_last_value_stays(cache: Cache) -> None:
    await put(cache, "a", "x")
    await put(cache, "a", "y", value=b"another")
    await cache.invalidate(["x"])
    entry = await cache.get("a")
    assert entry is not None
    assert entry.value == b"another"


async def test_invalidation_drops_exactly_what_has_the_tag(cache: Cache) -> None:
    await put(cache, "a", "x", "y")
    await put(cache, "b", "y")
    await put(cache, "c")
    await cache.invalidate(["x", "unheard of"])
    assert await there(cache, "a", "b", "c") == [False, True, True]
    await put(cache, "a", "x")
    assert await there(cache, "a") == [True]


async def test_what_was_loaded_before_an_invalidation_is_not_stored_after_it(cache: Cache) -> None:
    mark = await cache.generation(["x", "y"])
    await cache.invalidate(["x"])
    await cache.set("a", b"stale", 60, ["x", "y"], mark)
    assert await there(cache, "a") == [False]
    mark = await cache.generation(["y"])
    await cache.invalidate(["x"])
    await cache.set("a", b"good", 60, ["y"], mark)
    assert await there(cache, "a") == [True]


@pytest.mark.parametrize("tag", ["", "value", "tag:", "*", "a b\n", "ü", "\ud800", "\0"])
async def test_a_tag_may_have_any_name(cache: Cache, tag: str) -> None:
    await put(cache, "a", tag)
    await put(cache, "b", "another")
    assert await there(cache, "a", "b") == [True, True]
    await cache.invalidate([tag])
    assert await there(cache, "a", "b") == [False, True]


async def test_who_loads_alone_waits_for_nobody(cache: Cache) -> None:
    mark = await cache.generation(["x"])
    for _ in range(2):
        async with asyncio.timeout(DEADLINE), cache.loading("a", mark) as another_did:
            assert not another_did


async def test_what_concerns_other_tags_does_not_change_the_mark_of_some() -> None:
    cache = MemoryCache(3)
    before = await cache.generation(["a"])
    await cache.invalidate(["b"])
    assert await cache.generation(["a"]) == before
    await cache.invalidate(["a"])
    assert await cache.generation(["a"]) > before
    known = await cache.generation(["b", "a"])
    await cache.invalidate(["c", "d", "e", "f"])  # so many that a and b are forgotten
    assert await cache.generation(["b", "a"]) >= known
    await cache.set("x", b"a value", 60, ["a"], before)
    assert await cache.get("x") is None
