"""Counts tries in the memory of this process."""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from cachetools import LRUCache

from app.core.cqrs import RateLimitedError

MOST_COUNTED = 100_000


class Tries(NamedTuple):
    """How many, and until when they count."""

    number: int
    until: float


class MemoryThrottle:
    """Allows so many tries in each window of time, which begins with the first.

    Args:
        allowed: how many.
        window_seconds: how long they count.
        now: seconds on a clock that only goes forward.
    """

    def __init__(self, allowed: int, window_seconds: float, now: Callable[[], float] = monotonic) -> None:
        self._allowed = allowed
        self._window = window_seconds
        self._now = now
        self._tries: LRUCache[str, Tries] = LRUCache(MOST_COUNTED)

    async def count(self, what: str) -> None:
        """Count one more try.

        Raises:
            RateLimitedError: it is one too many.
        """
        now = self._now()
        tries = self._tries.get(what)
        if tries is None or tries.until <= now:
            tries = Tries(0, now + self._window)
        if tries.number >= self._allowed:
            wait = max(1, round(tries.until - now))
            raise RateLimitedError("Too many tries, wait a while.", details={"retry_after": wait})
        self._tries[what] = Tries(tries.number + 1, tries.until)

    async def forgive(self, what: str) -> None:
        """Forget the tries so far."""
        self._tries.pop(what, None)
