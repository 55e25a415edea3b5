"""A link to a Redis that the service can do without: it never raises, and does not ask one that is silent."""

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
"""How often it is asked whether it is there."""
PAUSE_SECONDS = 0.5
"""Between attempts to connect."""
START_SECONDS = 1.0
TELL_SECONDS = 60.0
"""Between two lines of the log that tell what Redis refused."""

OUTAGES = (RedisError, OSError)
logger = structlog.get_logger(__name__)


class Listener(Protocol):
    """Who wants to hear what other processes publish."""

    async def hear(self, said: bytes) -> None:
        """Somebody published this."""

    def lose(self) -> None:
        """From now on until `catch_up` something may be published that is not heard."""

    async def catch_up(self) -> bool:
        """Everything is heard again; whether Redis may be asked now."""
        ...


class RedisLink:
    """Commands, and one channel. After a command that failed nobody asks until Redis has answered a ping.

    The ping goes over the connection of the channel: its answer proves that all published before was heard.
    """

    def __init__(self, client: Redis, channel: str) -> None:
        self.client = client
        self.channel = channel
        self._trusted = asyncio.Event()
        self._tell_next = 0.0

    @property
    def is_trusted(self) -> bool:
        """Whether Redis is asked at present."""
        return self._trusted.is_set()

    async def ask(self, command: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
        """The answer to a command; None too when Redis is not asked, refuses, or does not answer in time."""
        return await self.insist(command, *args, **more) if self._trusted.is_set() else None

    async def insist(self, command: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
        """The same, though Redis may not have answered of late."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await command(*args, **more)
        except ResponseError as error:  # it is there, and refuses this: it may be full, or the key another's
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
        """Do not ask Redis before it has answered a ping, and its listener has caught up."""
        if self._trusted.is_set():
            self._trusted.clear()
            logger.warning("cache_down", error=reason)

    @asynccontextmanager
    async def listening(self, listener: Listener) -> AsyncIterator[None]:
        """Listen meanwhile. A Redis that is down delays this for a moment only."""
        task = asyncio.create_task(self._listen(listener))
        try:
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._trusted.wait()
            except TimeoutError:
                logger.warning("cache_down", error="It does not answer.")
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
            except Exception as error:  # whatever it was: nobody listens now
                self.distrust(repr(error))
                listener.lose()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self, channel: Any, listener: Listener) -> None:
        """Goes on until Redis is silent."""
        while True:
            await channel.ping()
            if not await _heard_pong(channel, listener, ANSWER_SECONDS):
                raise TimeoutError("Redis does not answer a ping.")
            if not self._trusted.is_set() and await listener.catch_up():
                self._trusted.set()
                logger.info("cache_up")
            await _heard_pong(channel, listener, PING_SECONDS)


async def _heard_pong(channel: Any, listener: Listener, seconds: float) -> bool:
    """Pass on what is published for so long, or until the answer to a ping has come; whether it has."""
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
