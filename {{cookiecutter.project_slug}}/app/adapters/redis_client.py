"""A Redis client with short timeouts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.core.cqrs import ConfigurationError

ANSWER_SECONDS = 0.2
"""Timeout of everything that belongs to a call of Redis: a free connection, connecting, and the answer."""
CONNECTIONS = 10
"""Per process; with more, calls would spend the time on connecting, not on waiting for answers."""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Redis]:
    """A client that connects on first use, and is closed whether Redis answers or not.

    Raises:
        ConfigurationError: if the URL is not a Redis URL.
    """
    client = _client_of(url)
    try:
        yield client
    finally:
        with suppress(RedisError, OSError):  # a server that does not answer need not be notified of the end
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
            protocol=2,  # this and the next spare a handshake: a new connection can send its command at once
            driver_info=None,
        )
        pool.make_connection()  # type: ignore[no-untyped-call]  # it rejects unsupported options of the URL
    except (ValueError, TypeError):
        raise ConfigurationError(
            "CACHE_URL is not a URL of Redis: it looks like redis://user:password@host:6379/0, rediss:// with TLS."
        ) from None
    return Redis.from_pool(pool)
