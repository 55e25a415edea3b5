"""A broker in memory, for services of one test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.composition import exchange
from app.core.broker import EventMessage, Receive
from app.core.config import Settings


class MemoryBroker:
    """Keeps messages for whoever consumes, and can be told to deliver them twice."""

    def __init__(self) -> None:
        self.published: list[EventMessage] = []
        self.times = 1
        self._waiting: asyncio.Queue[EventMessage] = asyncio.Queue()

    async def publish(self, message: EventMessage) -> None:
        """Keep a message."""
        self.published.append(message)
        for _ in range(self.times):
            self._waiting.put_nowait(message)

    @asynccontextmanager
    async def consuming(self, receive: Receive) -> AsyncIterator[None]:
        """Hand messages over, one after the other."""

        async def hand_over() -> None:
            while True:
                await receive(await self._waiting.get())
                self._waiting.task_done()

        task = asyncio.create_task(hand_over())
        yield
        task.cancel()
        await asyncio.wait([task])

    @property
    def is_waiting(self) -> bool:
        """Whether there is something that nobody has taken."""
        return not self._waiting.empty()

    async def is_empty(self) -> None:
        """Wait until everything was handed over."""
        await self._waiting.join()


def broker_of_all(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """The broker of all services of the test."""
    memory = MemoryBroker()

    @asynccontextmanager
    async def open_broker(settings: Settings) -> AsyncIterator[MemoryBroker]:
        yield memory

    monkeypatch.setattr(exchange, "open_broker", open_broker)
    return memory
