import pytest

from app.core.cqrs.testing import FixedClock, MemoryCache


async def test_the_cache_forgets_by_the_clock_and_by_tags() -> None:
    clock = FixedClock()
    cache = MemoryCache(clock)
    mark = await cache.generation({"tag"})
    await cache.set("key", b"value", 10, {"tag"}, mark)
    entry = await cache.get("key")
    assert entry is not None
    assert (entry.value, entry.ttl_seconds, entry.level) == (b"value", 10, "memory")
    clock.advance(10)
    assert await cache.get("key") is None
    await cache.set("key", b"value", 10, {"tag"}, mark)
    await cache.invalidate({"tag"})
    assert await cache.get("key") is None
    await cache.set("key", b"stale", 10, {"tag"}, mark)
    assert await cache.get("key") is None, "its tag was invalidated after the mark"


@pytest.mark.parametrize("ttl_seconds", [float("inf"), 10.0**12])
async def test_a_value_may_be_kept_for_longer_than_a_date_can_tell(ttl_seconds: float) -> None:
    clock = FixedClock()
    cache = MemoryCache(clock)
    await cache.set("key", b"value", ttl_seconds, {"tag"}, await cache.generation({"tag"}))
    clock.advance(10**9)
    entry = await cache.get("key")
    assert entry is not None
    assert entry.ttl_seconds == ttl_seconds - 10**9
