"""Runs the receiver for several messages concurrently, in order per message key."""

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
    """Retries a message whose receiver fails, with exponential backoff.

    The backoff delays only messages with the same key.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Key -> the lock of its messages, for as long as a message holds it or waits for it."""
        self._closing = asyncio.Event()

    async def handle(self, message: EventMessage) -> bool:
        """Run the receiver when it is the message's turn. False: `close` was called before the receiver succeeded."""
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
        """Start no further attempts; attempts in progress continue."""
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
    """Wait for the event, at most this many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
