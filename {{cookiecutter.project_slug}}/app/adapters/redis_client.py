"""A client of a Redis that nobody waits for long."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.core.cqrs import ConfigurationError

ANSWER_SECONDS = 0.2
"""How long anybody waits for Redis, with all that belongs to it: for a free connection, to connect, for the answer."""
CONNECTIONS = 10
"""Of one process; more would make it wait for connections, not for answers."""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Redis]:
    """A client that connects when it is used, and is closed whether Redis answers or not.

    Raises:
        ConfigurationError: this is no URL of Redis.
    """
    client = _client_of(url)
    try:
        yield client
    finally:
        with suppress(RedisError, OSError):  # who does not answer need not be told that this is the end
            await client.aclose()


def _client_of(url: str) -> Redis:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            encoding_errors="surrogatepass",
            protocol=2,  # like the next, so that it can ask as soon as it is connected
            driver_info=None,
        )
        pool.make_connection()  # type: ignore[no-untyped-call]  # it refuses what the URL must not say
    except (ValueError, TypeError):
        raise ConfigurationError(
            "CACHE_URL is not a URL of Redis: it looks like redis://user:password@host:6379/0, rediss:// with TLS."
        ) from None
    return Redis.from_pool(pool)
