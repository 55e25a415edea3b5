"""The pace of handlers: a relay claims events ahead for a handler that processes many."""

from collections import Counter
from math import ceil
from time import monotonic

AHEAD_SECONDS = 0.25
"""A handler has as many events prefetched as it processes in this time, and outcomes are stored within it."""
MOST_AHEAD_PER_PLACE = 25
"""What a relay has prefetched waits behind it, so few reactions do, and more publications, which are fast."""


class Pace:
    """How many events each handler processes in `AHEAD_SECONDS`."""

    def __init__(self) -> None:
        self._done: Counter[str] = Counter()
        self._pace: dict[str, int] = {}
        self._counted_at = monotonic()

    def count(self, handler: str) -> None:
        """Count a processed event."""
        self._done[handler] += 1

    def measure(self) -> None:
        """Begin a new measurement, if the last one has taken long enough."""
        now = monotonic()
        if (seconds := now - self._counted_at) > AHEAD_SECONDS:
            self._pace = {handler: ceil(done * AHEAD_SECONDS / seconds) for handler, done in self._done.items()}
            self._done.clear()
            self._counted_at = now

    def ahead(self, handler: str, places: int) -> int:
        """How many events to prefetch for a handler that may process so many concurrently."""
        return min(MOST_AHEAD_PER_PLACE * places, max(self._done[handler], self._pace.get(handler, 0)))
