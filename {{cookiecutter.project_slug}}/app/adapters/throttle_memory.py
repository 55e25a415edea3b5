"""Counts tries in the memory of this process."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b
from time import monotonic

from app.core.config import Settings
from app.core.cqrs import RateLimitedError
from app.domain.ports import Throttle

MOST_COUNTED = 20_000
"""Of how many things tries are counted at a time; they take 6 MiB."""
KEY_BYTES = 16


@asynccontextmanager
async def open_throttle(settings: Settings) -> AsyncIterator[Throttle]:
    """The throttle of `memory://`."""
    yield MemoryThrottle(settings.login_attempts, settings.login_window_seconds)


class MemoryThrottle:
    """Allows so many tries in each window of time, which begins with the first.

    When it is full, what is over is forgotten, or else what was tried least, and of that what was tried first. So who
    wants n tries to be forgotten has to try n times everything else that is counted.

    Args:
        allowed: how many.
        window_seconds: how long they count.
        now: seconds on a clock that only goes forward.
        most: of how many things tries are counted.
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
        """By number of tries, from one on: what was tried so often, and until when that counts."""

    async def count(self, what: str) -> None:
        """Count one more try.

        Raises:
            RateLimitedError: it is one too many.
        """
        key, now = _key(what), self._now()
        number = self._number.get(key, 0)
        until = self._until[number - 1][key] if number else now + self._window
        if until <= now:
            self._forget(key)
            number, until = 0, now + self._window
        if number >= self._allowed:
            raise too_many(until - now)
        if number:
            self._forget(key)
        elif len(self._number) >= self._most:
            self._make_room()
        self._number[key] = number + 1
        self._until[number][key] = until

    async def forgive(self, what: str) -> None:
        """Forget the tries so far."""
        self._forget(_key(what))

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
    """What is raised for one try too many; it may be tried again after so many seconds."""
    return RateLimitedError("Too many tries, wait a while.", details={"retry_after": max(1, round(seconds))})


def _key(what: str) -> bytes:
    """As long for everything: a login may have 254 bytes."""
    return blake2b(what.encode(errors="surrogatepass"), digest_size=KEY_BYTES).digest()
