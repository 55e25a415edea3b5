"""Counts tries in Redis, for all processes; while Redis does not answer, each process counts for itself."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import structlog
from redis.asyncio import Redis

from app.adapters import redis_client, redis_scripts
from app.adapters.redis_client import connected
from app.adapters.redis_link import OUTAGES
from app.adapters.redis_settings import RedisSettings
from app.adapters.throttle_memory import MemoryThrottle, too_many
from app.domain.ports import Throttle

ENCRYPTED = "rediss"
PAUSE_SECONDS = 1.0
"""How long Redis is left alone after it did not answer."""

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def open_throttle(settings: RedisSettings) -> AsyncIterator[Throttle]:
    """The throttle of `redis://` and `rediss://`.

    Raises:
        ConfigurationError: if the URL is not a valid Redis URL.
    """
    async with connected(settings.cache_url) as client:
        yield RedisThrottle(
            client,
            f"{settings.cache_prefix}:tries",
            settings.key_for("throttles"),
            settings.login_attempts,
            settings.login_window_seconds,
        )


class RedisThrottle:
    """Allows a number of tries for each key in a window of time, across all processes.

    Args:
        client: the Redis client.
        prefix: the prefix of its keys in Redis.
        secret: the secret of the keyed digest that replaces each key, because that may be an e-mail address.
        allowed: the number of tries in a window.
        window_seconds: the length of a window.
        now: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str,
        secret: bytes,
        allowed: int,
        window_seconds: float,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._secret = secret
        self._allowed = allowed
        self._window_ms = round(window_seconds * 1000)
        self._now = now
        self._alone = MemoryThrottle(allowed, window_seconds, now)
        self._ask_again_at = 0.0
        self._is_down = False
        self._count = client.register_script(redis_scripts.COUNT)
        self._take_back = client.register_script(redis_scripts.TAKE_BACK)

    async def count(self, what: str) -> None:
        """Count one more try.

        Raises:
            RateLimitedError: if the window allows no further try.
        """
        wait_ms = await self._ask(lambda: self._count([self._key(what)], [self._allowed, self._window_ms]))
        if wait_ms is None:
            await self._alone.count(what)
        elif wait_ms > 0:
            raise too_many(wait_ms / 1000)

    async def take_back(self, what: str) -> None:
        """Forget one try of this key, which was counted and did not fail."""
        if await self._ask(lambda: self._take_back([self._key(what)])) is None:
            await self._alone.take_back(what)

    async def forgive(self, what: str) -> None:
        """Forget the tries of this key so far."""
        await self._alone.forgive(what)
        await self._ask(lambda: self._client.delete(self._key(what)))

    async def _ask(self, command: Callable[[], Any]) -> Any:
        """The answer of Redis; None if it does not answer, or did not answer a moment ago."""
        if self._now() < self._ask_again_at:
            return None
        try:
            async with asyncio.timeout(redis_client.ANSWER_SECONDS):
                answer = await command()
        except OUTAGES as error:  # these include time-outs
            self._ask_again_at = self._now() + PAUSE_SECONDS
            if not self._is_down:
                self._is_down = True
                logger.warning("throttle_lost", error=repr(error))
            return None
        if self._is_down:
            self._is_down = False
            logger.info("throttle_restored")
        return answer

    def _key(self, what: str) -> str:
        return f"{self._prefix}:{hmac.digest(self._secret, what.encode(errors='surrogatepass'), 'sha256').hex()}"
