"""Counts tries in the memory of this process, to limit their rate."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b
from time import monotonic

from app.core.config import Settings
from app.core.cqrs import RateLimitedError
from app.domain.ports import Throttle

MOST_COUNTED = 20_000
"""For how many keys tries are counted at a time; they take 6 MiB."""
KEY_BYTES = 16


@asynccontextmanager
async def open_throttle(settings: Settings) -> AsyncIterator[Throttle]:
    """The throttle of `memory://`."""
    yield MemoryThrottle(settings.login_attempts, settings.login_window_seconds)


class MemoryThrottle:
    """Allows a number of tries for each key in a window of time, which begins with the first try.

    When it is full, it evicts expired keys, else the key with the fewest tries, and of those the oldest. So an attacker
    who wants n tries to be forgotten has to try n times with every other counted key.

    Args:
        allowed: the number of tries in a window.
        window_seconds: the length of a window.
        now: a monotonic clock, in seconds.
        most: the maximum number of counted keys.
    """

    def __init__(
        self, allowed: int, window_seconds: float, now: Callable[[], float] = monotonic, most: int = MOST_COUNTED
    ) -> None:
        self._allowed = allowed
        self._window = window_seconds
        self._now = now
        self._most = most
        self._number: dict[bytes, int] = {}
        self._until: list[OrderedDict[bytes, float]] = [OrderedDict() for _ in range(allowed)]
        """One map for each number of tries, from one on: key -> end of its window."""

    async def count(self, what: str) -> None:
        """Count one more try.

        Raises:
            RateLimitedError: if the window allows no further try.
        """
        key, now = _key(what), self._now()
        number = self._number.get(key, 0)
        until = self._until[number - 1][key] if number else now + self._window
        if until <= now:
            self._forget(key)
            number, until = 0, now + self._window
        if number >= self._allowed:
            raise too_many(until - now)
        if not number and len(self._number) >= self._most:
            self._make_room()
        self._keep(key, number + 1, until)

    async def take_back(self, what: str) -> None:
        """Forget one try of this key, which was counted and did not fail."""
        key = _key(what)
        number = self._number.get(key, 0)
        if number:
            self._keep(key, number - 1, self._until[number - 1][key])

    async def forgive(self, what: str) -> None:
        """Forget the tries of this key so far."""
        self._forget(_key(what))

    def _keep(self, key: bytes, number: int, until: float) -> None:
        self._forget(key)
        if number:
            self._number[key] = number
            self._until[number - 1][key] = until

    def _forget(self, key: bytes) -> None:
        number = self._number.pop(key, 0)
        if number:
            del self._until[number - 1][key]

    def _make_room(self) -> None:
        oldest = [next(iter(tried.items())) for tried in self._until if tried]
        over = [key for key, until in oldest if until <= self._now()]
        for key in over or [oldest[0][0]]:
            self._forget(key)


def too_many(seconds: float) -> RateLimitedError:
    """The error for a try beyond the limit; the window ends in so many seconds."""
    return RateLimitedError("Too many tries, wait a while.", details={"retry_after": max(1, round(seconds))})


def _key(what: str) -> bytes:
    """A digest, so that all keys are equally short: a login may have 254 bytes."""
    return blake2b(what.encode(errors="surrogatepass"), digest_size=KEY_BYTES).digest()
