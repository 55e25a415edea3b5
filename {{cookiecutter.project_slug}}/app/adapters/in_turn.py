"""Hands messages to their receiver: several at once, those with equal key one after the other."""

import asyncio
from contextlib import suppress
from weakref import WeakValueDictionary

import structlog

from app.core.broker import EventMessage, Receive

logger = structlog.get_logger(__name__)

AT_ONCE = 10
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0


class InTurn:
    """A message that its receiver fails on is tried again after a pause, each longer than the last.

    The pause holds up only what has the same key.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Key -> whose turn it is, for as long as somebody is waiting."""
        self._closing = asyncio.Event()

    async def handle(self, message: EventMessage) -> bool:
        """Hand it over when its turn has come; whether the receiver is done with it, or `close` came first."""
        turn = self._turns.setdefault(message.key, asyncio.Lock())
        async with turn:
            pause = FIRST_PAUSE_SECONDS
            while not self._closing.is_set():
                async with self._slots:
                    if self._closing.is_set():
                        return False
                    if await self._received(message, pause):
                        return True
                await pause_unless(self._closing, pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return False

    def close(self) -> None:
        """Begin nothing anymore. What was begun goes on."""
        self._closing.set()

    async def _received(self, message: EventMessage, pause: float) -> bool:
        try:
            await self._receive(message)
        except Exception:
            logger.warning(
                "message_failed",
                event_id=message.id,
                event_type=message.event_type,
                again_in_seconds=pause,
                exc_info=True,
            )
            return False
        return True


async def pause_unless(event: asyncio.Event, seconds: float) -> None:
    """Wait that long, or until it happens."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
