"""The messages that a process received over one connection and has not settled yet."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.adapters.carrier import FINISH_SECONDS, HELD, Received
from app.adapters.event_headers import event_of
from app.adapters.in_turn import InTurn
from app.core.broker import Receive

logger = structlog.get_logger(__name__)


class Consumption:
    """Handles messages up to a limit at once, and acknowledges each or gives it back."""

    def __init__(self, receive: Receive, give_back: Callable[[Received], Awaitable[None]]) -> None:
        self._give_back = give_back
        self._turns = InTurn(receive)
        self._room = asyncio.Semaphore(HELD)
        self._tasks: set[asyncio.Task[None]] = set()
        self.held: set[Received] = set()
        """Messages that are neither acknowledged nor given back."""

    async def take(self, received: Received) -> asyncio.Task[None]:
        """Start handling a message as soon as there is room. The returned task ends when the message is settled."""
        self.held.add(received)
        try:
            await self._room.acquire()
        except asyncio.CancelledError:
            self.held.discard(received)
            raise
        task = asyncio.create_task(self._settle(received))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close(self) -> None:
        """Start no further attempts."""
        self._turns.close()

    async def finish(self) -> None:
        """Wait up to `FINISH_SECONDS` for messages in progress, then cancel them."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=FINISH_SECONDS)
            for task in late:
                task.cancel()

    async def _settle(self, received: Received) -> None:
        try:
            await self._handle(received)
        except Exception as error:  # the connection is lost, and the broker redelivers the message
            logger.warning("message_not_settled", message_id=received.message_id, reason=type(error).__name__)
        finally:
            self.held.discard(received)
            self._room.release()

    async def _handle(self, received: Received) -> None:
        if await self._turns.handle(event_of(received)):
            await received.ack()
        else:
            await self._give_back(received)
