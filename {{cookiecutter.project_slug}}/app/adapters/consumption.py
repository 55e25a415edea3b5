"""What a process has received over one connection, and is not done with."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.adapters.carrier import FINISH_SECONDS, HELD, Received
from app.adapters.event_headers import event_of
from app.adapters.in_turn import InTurn
from app.core.broker import Receive

logger = structlog.get_logger(__name__)


class Consumption:
    """Takes messages as long as there is room, and tells the broker what became of each."""

    def __init__(self, receive: Receive, give_back: Callable[[Received], Awaitable[None]]) -> None:
        self._give_back = give_back
        self._turns = InTurn(receive)
        self._room = asyncio.Semaphore(HELD)
        self._tasks: set[asyncio.Task[None]] = set()
        self.held: set[Received] = set()
        """Neither acknowledged nor given back."""

    async def take(self, received: Received) -> asyncio.Task[None]:
        """Begin with a message as soon as there is room; what ends when it is settled."""
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
        """Begin nothing anymore."""
        self._turns.close()

    async def finish(self) -> None:
        """Wait for what was begun, but not for ever."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=FINISH_SECONDS)
            for task in late:
                task.cancel()

    async def _settle(self, received: Received) -> None:
        try:
            await self._handle(received)
        except Exception as error:  # the broker is gone, and the message comes again
            logger.warning("message_not_settled", message_id=received.message_id, reason=type(error).__name__)
        finally:
            self.held.discard(received)
            self._room.release()

    async def _handle(self, received: Received) -> None:
        if await self._turns.handle(event_of(received)):
            await received.ack()
        else:
            await self._give_back(received)
