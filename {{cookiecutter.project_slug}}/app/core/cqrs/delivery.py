"""Delivery of committed events to their after-commit reactions."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from app.core.cqrs.events import EventRecord
from app.core.cqrs.operation import current

logger = structlog.get_logger(__name__)


class Delivery(Protocol):
    """Triggers after-commit reactions, for which the command does not wait."""

    def add(self, records: Sequence[EventRecord]) -> None:
        """Deliver events that were committed just now."""

    async def idle(self) -> None:
        """Wait until there is nothing left to deliver."""

    async def finish(self) -> None:
        """Deliver the events that have to be delivered before the bus ends."""


class MemoryDelivery:
    """Runs after-commit reactions in this process, one event after the other; a crash loses undelivered events.

    Its worker task exists only while there are events to deliver, so it is bound to no event loop.
    """

    def __init__(self, deliver: Callable[[EventRecord], Awaitable[None]]) -> None:
        self._deliver = deliver
        self._waiting: deque[EventRecord] = deque()
        self._worker: asyncio.Task[None] | None = None

    def add(self, records: Sequence[EventRecord]) -> None:
        """Append events to the queue, and start the worker if none is running."""
        self._waiting.extend(records)
        if self._waiting and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self._work(), name="event-delivery")

    async def idle(self) -> None:
        """Wait until all events are delivered."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])

    finish = idle

    async def _work(self) -> None:
        current.set(None)  # the worker is not part of the operation that started it
        while self._waiting:
            record = self._waiting.popleft()
            try:
                await self._deliver(record.following())
            except Exception as error:
                logger.error(
                    "reaction_failed",
                    event_type=record.event_type,
                    event_id=record.event.event_id,
                    exc_info=error,
                )
