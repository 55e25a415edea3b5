"""The base class of broker adapters: it contains the differences between brokers, FastStream the common part."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from typing import Any, ClassVar, Generic, TypeVar

from faststream.message import StreamMessage

from app.adapters.exchange_settings import ExchangeSettings
from app.core.broker import EventMessage

PUBLISH_SECONDS = 5.0
"""Timeout of a publish, including a connection that it may have to open first."""
FINISH_SECONDS = 30.0
"""How long messages in progress may take to finish when consuming ends."""
TAKE_OVER_SECONDS = 30.0
"""A consumer without a heartbeat for so long loses its messages to another, if the broker cannot detect its end."""
HELD = 100
"""How many unsettled messages a process accepts at most; also the prefetch count of a broker that has one."""
FETCHED = 20
"""How many messages a process fetches at a time."""

library_logger = logging.getLogger("app.faststream")
library_logger.setLevel(logging.WARNING)  # it logs a line for every message
for handler in (own := logging.getLogger("faststream")).handlers:  # its handler for tasks writes to stdout
    own.removeHandler(handler)
own.propagate = True
own.setLevel(logging.WARNING)

B = TypeVar("B", bound=Any)
"""A FastStream broker. FastStream has no public base class with all the methods that its brokers share."""
Received = StreamMessage[Any]
Take = Callable[[Received], Awaitable[asyncio.Task[None]]]
"""Returns when there is room for the message; the returned task ends when the message is settled."""


class Carrier(ABC, Generic[B]):
    """Adapts one kind of broker."""

    outages: ClassVar[tuple[type[Exception], ...]]
    """Exceptions of the client, besides `OSError`, that mean an outage or a refused message and not a bug."""
    breaking: ClassVar[tuple[type[Exception], ...]] = ()
    """Refusals after which the connection cannot be used any more."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self.url = settings.broker_url
        self.topic = settings.broker_topic
        self.group = settings.broker_group

    @abstractmethod
    def make(self, *, consuming: bool) -> B:
        """Create a broker that is not connected yet."""

    async def prepare(self, broker: B) -> None:
        """Create what stores published messages for the consumers, so that either side may start first."""

    @abstractmethod
    async def send(self, broker: B, message: EventMessage) -> None:
        """Publish a message, and wait for the confirmation."""

    @abstractmethod
    def refuses(self, error: Exception, message: EventMessage) -> bool:
        """Whether this error means that the broker is up and rejects this message, not another one."""

    @abstractmethod
    def subscribe(self, broker: B, take: Take) -> None:
        """Subscribe so that the broker passes messages to `take` in order, undecoded and unacknowledged."""

    async def keep(self, broker: B, held: Collection[Received]) -> None:
        """Extend the lease of these messages in progress, before the broker gives them to another consumer.

        Raises what the client raises if the consumer or its stream was deleted, so that both are created again.
        """

    async def give_back(self, received: Received) -> None:
        """Return a message that was not handled, so that another consumer gets it."""
        await received.nack()

    async def is_alive(self, broker: B) -> bool:
        """Whether the connection is open, as far as the client knows without asking."""
        return True

    async def disconnect(self, broker: B) -> None:
        """Close the connection, waiting at most `PUBLISH_SECONDS` for a broker that does not answer."""
        async with asyncio.timeout(PUBLISH_SECONDS):
            await broker.stop()


def handing(take: Take) -> Callable[[Received], Awaitable[None]]:
    """Wrap `take` in a handler without a return value: FastStream treats a returned value as a reply."""

    async def hand(received: Received) -> None:
        await take(received)

    return hand


async def as_it_is(received: Received) -> Received:
    """A decoder that returns the message unchanged, so that `take` gets it with its headers."""
    return received
