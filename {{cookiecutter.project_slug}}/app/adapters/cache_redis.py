"""A two-level cache: Redis, shared by all processes, behind a cache in each one's memory. Needs Redis 7 or newer.

- Invalidations are published, and every other process drops the entries from its memory a moment later.
- A process without a connection to Redis uses neither level, so a slow or lost Redis costs time but causes no failure.
- After a lost invalidation (sent or received) a process flushes the whole cache before it uses the cache again.
  If it ends before that, and no other process noticed the outage, stale entries stay until they expire.
"""

import json
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from secrets import token_hex
from typing import NamedTuple

from app.adapters import redis_scripts
from app.adapters.cache_memory import MemoryCache
from app.adapters.redis_client import connected
from app.adapters.redis_link import RedisLink
from app.adapters.redis_settings import RedisSettings
from app.adapters.redis_turns import RedisTurns
from app.core.cqrs import Cache, CacheEntry
from app.core.single_flight import SingleFlight

ENCRYPTED = "rediss"
EVERYTHING = "\0everything"
"""The tag that every entry has; invalidating it flushes the cache."""
MARK_MS = 24 * 3600 * 1000
"""Minimum lifetime of a tag's mark; longer than any load takes."""
LONGEST_MS = 10 * 365 * MARK_MS


@asynccontextmanager
async def open_cache(settings: RedisSettings) -> AsyncIterator[Cache]:
    """The cache of `redis://` and `rediss://`.

    Raises:
        ConfigurationError: if the URL is not a valid Redis URL.
    """
    async with connected(settings.cache_url) as client:
        cache = RedisCache(
            RedisLink(client, f"{settings.cache_prefix}:stale"),
            MemoryCache(settings.cache_max_entries),
            settings.cache_prefix,
        )
        async with cache.link.listening(cache):
            yield cache


class Mark(NamedTuple):
    """The version of a load: the generation in memory, and each tag's mark in Redis (none if Redis did not answer)."""

    memory: int
    tags: tuple[tuple[str, str], ...]


class RedisCache:
    """Looks up an entry in memory first, then in Redis."""

    def __init__(self, link: RedisLink, memory: MemoryCache, prefix: str) -> None:
        self.link = link
        self._memory = memory
        self._prefix = prefix
        self._missed = False
        """Whether an invalidation, sent or received, may have been lost."""
        self._looking: SingleFlight[CacheEntry | None] = SingleFlight()
        self._marking: SingleFlight[Mark] = SingleFlight()
        self._turns = RedisTurns(link)
        scripts = (redis_scripts.GET, redis_scripts.MARK, redis_scripts.SET, redis_scripts.INVALIDATE)
        self._get, self._mark, self._set, self._invalidate = map(link.client.register_script, scripts)

    async def get(self, key: str) -> CacheEntry | None:
        """The entry of this key; None if there is no valid one."""
        if not self.link.is_trusted:
            return None
        entry = await self._memory.get(key)
        if entry is not None:
            return entry
        return await self._looking.fly_next(key, lambda: self._look_up(key))

    async def _look_up(self, key: str) -> CacheEntry | None:
        mark = await self._memory.generation(())
        found = await self.link.ask(self._get, [self._entry(key)], [f"{self._prefix}:"])
        if not found:
            return None
        value, remaining_ms, *tags = found
        names = [tag.decode(errors="surrogatepass") for tag in tags]
        await self._memory.set(key, value, remaining_ms / 1000, names, mark)
        return CacheEntry(value, remaining_ms / 1000, "redis")

    async def generation(self, tags: Collection[str]) -> Mark:
        """The current mark; tags without a mark in Redis get one."""
        names = [EVERYTHING, *sorted(tags)]
        return await self._marking.fly_next(repr(names), lambda: self._mark_of(names))

    async def _mark_of(self, names: list[str]) -> Mark:
        memory = await self._memory.generation(names)
        marks = await self.link.ask(self._mark, [self._tag(name) for name in names], [token_hex(8), MARK_MS])
        return Mark(memory, tuple(zip(names, [mark.decode() for mark in marks or ()], strict=False)))

    async def set(self, key: str, value: bytes, ttl_seconds: float, tags: Collection[str], generation: Mark) -> None:
        """Store a value in both levels, if Redis confirms that none of its tags was invalidated since the mark."""
        ttl_ms = max(1, int(min(ttl_seconds * 1000, LONGEST_MS)))
        keys = [self._entry(key), *(self._tag(tag) for tag, _ in generation.tags)]
        marks = [part for tag in generation.tags for part in tag]
        if generation.tags and await self.link.ask(self._set, keys, [value, ttl_ms, *marks]):
            await self._memory.set(key, value, ttl_seconds, [EVERYTHING, *tags], generation.memory)

    async def invalidate(self, tags: Collection[str]) -> None:
        """Make every value with one of these tags stale, in all processes."""
        told = False
        try:
            told = bool(await self.link.ask(self._invalidate, *self._stale(tags)))
        finally:
            if not told:
                self._missed = True
                self.link.distrust("An invalidation was not heard.")
            await self._memory.invalidate(tags)

    def loading(self, key: str, generation: Mark) -> AbstractAsyncContextManager[bool]:
        """Cross-process lock around loading a key at this mark. Yields True if another process held it first."""
        marks = ".".join(mark for _, mark in generation.tags)
        return self._turns.turn(f"{self._prefix}:turn:{key}:{marks}")

    async def hear(self, said: bytes) -> None:
        """Invalidate in memory the tags that another process has invalidated."""
        await self._memory.invalidate(json.loads(said))

    def lose(self) -> None:
        """Record that invalidations may be missed from now on."""
        self._missed = True

    async def catch_up(self) -> bool:
        """Flush the whole cache if an invalidation may have been missed. Returns False if Redis did not confirm it."""
        while self._missed:
            self._missed = False
            if not await self.link.insist(self._invalidate, *self._stale([EVERYTHING])):
                self._missed = True
                return False
            await self._memory.invalidate([EVERYTHING])
        return True

    def _stale(self, tags: Collection[str]) -> tuple[list[str], list[str]]:
        return [self._tag(tag) for tag in tags], [self.link.channel, json.dumps(list(tags))]

    def _entry(self, key: str) -> str:
        return f"{self._prefix}:entry:{key}"

    def _tag(self, tag: str) -> str:
        return f"{self._prefix}:tag:{tag}"
