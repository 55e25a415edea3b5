"""A fault-tolerant Redis client with a circuit breaker: it never raises, and does not wait for a Redis that is down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from app.adapters.redis_client import ANSWER_SECONDS

PING_SECONDS = 0.25
"""Interval of the health check, a ping."""
PAUSE_SECONDS = 0.5
"""Pause between attempts to connect."""
START_SECONDS = 1.0
TELL_SECONDS = 60.0
"""Minimum interval between log lines about commands that Redis refused."""

OUTAGES = (RedisError, OSError)
logger = structlog.get_logger(__name__)


class Listener(Protocol):
    """Receives the messages that other processes publish."""

    async def hear(self, said: bytes) -> None:
        """Handle a published message."""

    def lose(self) -> None:
        """The connection is lost: messages published from now on until `catch_up` may be missed."""

    async def catch_up(self) -> bool:
        """The connection is back. Returns whether commands may be sent now."""
        ...


class RedisLink:
    """Sends commands, and listens to one channel. A failed command opens the circuit until Redis answers a ping.

    The ping uses the pub/sub connection: its answer proves that every message published before it was received.
    """

    def __init__(self, client: Redis, channel: str) -> None:
        self.client = client
        self.channel = channel
        self._trusted = asyncio.Event()
        self._tell_next = 0.0

    @property
    def is_trusted(self) -> bool:
        """Whether the circuit is closed, so that commands are sent."""
        return self._trusted.is_set()

    async def ask(self, command: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
        """The reply to a command; None if the circuit is open, or Redis refuses or does not answer in time."""
        return await self.insist(command, *args, **more) if self._trusted.is_set() else None

    async def insist(self, command: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
        """Like `ask`, but sends the command even while the circuit is open."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await command(*args, **more)
        except ResponseError as error:  # Redis is up and refuses: it may be full, or the key of another program
            self._tell_refused(error)
            return None
        except OUTAGES as error:
            self.distrust(repr(error))
            return None

    def _tell_refused(self, error: ResponseError) -> None:
        if monotonic() >= self._tell_next:
            self._tell_next = monotonic() + TELL_SECONDS
            logger.warning("cache_refused", error=repr(error))

    def distrust(self, reason: str) -> None:
        """Open the circuit: send no commands until Redis has answered a ping and the listener has caught up."""
        if self._trusted.is_set():
            self._trusted.clear()
            logger.warning("cache_lost", error=reason)

    @asynccontextmanager
    async def listening(self, listener: Listener) -> AsyncIterator[None]:
        """Listen while the context is open. If Redis is down, entering it takes `START_SECONDS` and does not fail."""
        task = asyncio.create_task(self._listen(listener))
        try:
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._trusted.wait()
            except TimeoutError:
                logger.warning("cache_lost", error="It does not answer.")
            yield
        finally:
            while not task.done():  # redis-py sends by `asyncio.wait_for`, which in Python 3.11 may lose a cancellation
                task.cancel()
                await asyncio.wait([task], timeout=PING_SECONDS)

    async def _listen(self, listener: Listener) -> None:
        while True:
            try:
                async with self.client.pubsub() as channel:
                    await channel.subscribe(self.channel)
                    await self._follow(channel, listener)
            except Exception as error:  # whatever the error was, messages are missed now
                self.distrust(repr(error))
                listener.lose()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self, channel: Any, listener: Listener) -> None:
        """Ping Redis and pass on messages, until a ping is not answered."""
        while True:
            await channel.ping()
            if not await _heard_pong(channel, listener, ANSWER_SECONDS):
                raise TimeoutError("Redis does not answer a ping.")
            if not self._trusted.is_set() and await listener.catch_up():
                self._trusted.set()
                logger.info("cache_restored")
            await _heard_pong(channel, listener, PING_SECONDS)


async def _heard_pong(channel: Any, listener: Listener, seconds: float) -> bool:
    """Pass on messages until a ping is answered, at most for so many seconds. Returns whether it was answered."""
    ends = monotonic() + seconds
    while (left := ends - monotonic()) > 0:
        message = await channel.get_message(timeout=left)
        if message is None:
            continue
        if message["type"] == "pong":
            return True
        if message["type"] == "message":
            await listener.hear(message["data"])
    return False
