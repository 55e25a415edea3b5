"""What differs between the brokers, with FastStream in common."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from typing import Any, ClassVar, Generic, TypeVar

from faststream.message import StreamMessage

from app.core.broker import EventMessage
from app.core.config import Settings

PUBLISH_SECONDS = 5.0
"""How long a publish may take at most, with the connection that it may need first."""
FINISH_SECONDS = 30.0
"""How long what was begun may take to finish when consuming ends."""
TAKE_OVER_SECONDS = 30.0
"""After how long without a sign of life a consumer's messages go to another, where the broker cannot see it die."""
HELD = 100
"""How many messages a process takes from the broker at most before it is done with the first."""
FETCHED = 20
"""How many it asks for at a time."""

library_logger = logging.getLogger("app.faststream")
library_logger.setLevel(logging.WARNING)  # it has a line for every message
for handler in (own := logging.getLogger("faststream")).handlers:  # that of its tasks writes to standard output
    own.removeHandler(handler)
own.propagate = True
own.setLevel(logging.WARNING)

B = TypeVar("B", bound=Any)
"""A broker of FastStream's. They have no public base class with what all of them can do."""
Received = StreamMessage[Any]
Take = Callable[[Received], Awaitable[asyncio.Task[None]]]
"""Returns when there is room for the next message; its task ends when this one is settled."""


class Carrier(ABC, Generic[B]):
    """Knows one kind of broker."""

    outages: ClassVar[tuple[type[Exception], ...]]
    """What the client raises besides `OSError`, when it is not a bug."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.broker_url
        self.topic = settings.broker_topic
        self.group = settings.broker_group

    @abstractmethod
    def make(self, *, consuming: bool) -> B:
        """A broker that is not connected yet."""

    async def prepare(self, broker: B) -> None:
        """See to it that what is published is kept for the consumers, whoever comes first."""

    @abstractmethod
    async def send(self, broker: B, message: EventMessage) -> None:
        """Publish, and wait for the confirmation."""

    @abstractmethod
    def refuses(self, error: Exception) -> bool:
        """Whether this error says that the broker is there and does not take this message."""

    @abstractmethod
    def subscribe(self, broker: B, take: Take) -> None:
        """Let the broker hand what it receives to `take`, in order, as it is and unacknowledged."""

    async def keep(self, broker: B, held: Collection[Received]) -> None:
        """Say that these messages are still being worked on, before the broker gives them to another."""

    async def give_back(self, received: Received) -> None:
        """Let another have a message that was not begun with."""
        await received.nack()

    async def is_alive(self, broker: B) -> bool:
        """Whether the connection is there, as far as this side knows without asking."""
        return True

    async def disconnect(self, broker: B) -> None:
        """Close the connection; a broker that does not answer is not waited for."""
        async with asyncio.timeout(PUBLISH_SECONDS):
            await broker.stop()


def handing(take: Take) -> Callable[[Received], Awaitable[None]]:
    """A handler for FastStream, to which what a handler returns is an answer."""

    async def hand(received: Received) -> None:
        await take(received)

    return hand


async def as_it_is(received: Received) -> Received:
    """A decoder that leaves the message alone, so that `take` gets it with its headers."""
    return received
