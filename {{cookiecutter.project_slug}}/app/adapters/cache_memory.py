"""A cache in the memory of this process."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from time import monotonic
from typing import NamedTuple

from app.core.config import Settings
from app.core.cqrs import Cache, CacheEntry


@asynccontextmanager
async def open_cache(settings: Settings) -> AsyncIterator[Cache]:
    """The cache of `memory://`."""
    yield MemoryCache(settings.cache_max_entries)


class Stored(NamedTuple):
    """A cached value with its expiry time, its tags and the generation in which it was loaded."""

    value: bytes
    expires_at: float
    tags: tuple[str, ...]
    generation: int


class MemoryCache:
    """An LRU cache. Invalidations are numbered: a value older than the latest one of any of its tags is stale.

    Args:
        max_entries: the maximum number of values, and of tags whose invalidation is remembered.
        now: a monotonic clock, in seconds.
    """

    def __init__(self, max_entries: int, now: Callable[[], float] = monotonic) -> None:
        self._most = max_entries
        self._now = now
        self._entries: OrderedDict[str, Stored] = OrderedDict()
        self._invalidated: OrderedDict[str, int] = OrderedDict()
        self._floor = 0
        """The number of the latest forgotten invalidation; it counts for every tag without a remembered one."""
        self._generation = 0

    async def get(self, key: str) -> CacheEntry | None:
        """The entry of this key; None if there is none, or it has expired or is stale."""
        stored = self._entries.get(key)
        if stored is None:
            return None
        remaining = stored.expires_at - self._now()
        if remaining <= 0 or self._is_stale(stored.tags, stored.generation):
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return CacheEntry(stored.value, remaining, "memory")

    async def generation(self, tags: Collection[str]) -> int:
        """The latest invalidation number of these tags (of all, if empty); a value loaded later is stored with it."""
        return max((self._invalidated.get(tag, self._floor) for tag in tags), default=self._generation)

    async def set(self, key: str, value: bytes, ttl_seconds: float, tags: Collection[str], generation: int) -> None:
        """Store a value, unless one of its tags was invalidated after `generation` was read."""
        if not self._is_stale(tags, generation):
            self._entries[key] = Stored(value, self._now() + ttl_seconds, tuple(tags), generation)
            self._entries.move_to_end(key)
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def loading(self, key: str, generation: int) -> AbstractAsyncContextManager[bool]:
        """Yield False without waiting: no other process uses this cache."""
        return nullcontext(False)

    async def invalidate(self, tags: Collection[str]) -> None:
        """Make every value with one of these tags stale."""
        self._generation += 1
        for tag in tags:
            self._invalidated[tag] = self._generation
            self._invalidated.move_to_end(tag)
        while len(self._invalidated) > self._most:
            _, self._floor = self._invalidated.popitem(last=False)

    def _is_stale(self, tags: Collection[str], generation: int) -> bool:
        if generation == self._generation:
            return False
        return any(self._invalidated.get(tag, self._floor) > generation for tag in tags)
