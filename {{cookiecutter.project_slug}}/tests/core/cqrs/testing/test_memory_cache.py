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
