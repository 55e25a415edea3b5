"""A cache for tests."""

from collections import defaultdict
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from typing import Any

from app.core.cqrs import CacheEntry
from app.core.cqrs.testing.fixed_clock import FixedClock


class MemoryCache:
    """An in-memory cache whose entries expire by the given clock. It evicts nothing."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[bytes, float, datetime, frozenset[str]]] = {}
        self._generations: dict[str, int] = defaultdict(int)

    async def get(self, key: str) -> CacheEntry | None:
        """The entry of this key, unless it has expired."""
        if key not in self._entries:
            return None
        value, ttl_seconds, stored_at, _ = self._entries[key]
        left = ttl_seconds - (self._clock.now() - stored_at).total_seconds()
        return CacheEntry(value, left, "memory") if left > 0 else None

    async def generation(self, tags: Collection[str]) -> Any:
        """The number of invalidations of each tag so far."""
        return {tag: self._generations[tag] for tag in tags}

    async def set(self, key: str, value: bytes, ttl_seconds: float, tags: Collection[str], generation: Any) -> None:
        """Store a value, unless one of its tags was invalidated since `generation` was read."""
        if generation == await self.generation(tags):
            self._entries[key] = (value, ttl_seconds, self._clock.now(), frozenset(tags))

    def loading(self, key: str, generation: Any) -> AbstractAsyncContextManager[bool]:
        """Yield False, since no other process may be loading the value: there was nothing to wait for."""
        return nullcontext(False)

    async def invalidate(self, tags: Collection[str]) -> None:
        """Drop every entry that has one of these tags."""
        for tag in tags:
            self._generations[tag] += 1
        self._entries = {key: entry for key, entry in self._entries.items() if not entry[3] & set(tags)}
