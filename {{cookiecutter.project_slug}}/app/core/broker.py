"""The port to a message broker, by which services tell each other of public events."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

CONTENT_TYPE = "application/cloudevents+json"
"""Of every body that is sent: a CloudEvent, in its structured form."""


@dataclass(frozen=True, slots=True)
class EventMessage:
    """An event on its way.

    Two messages with the same `id` are the same one sent twice. Those with the same `key` happened to the same
    aggregate, and are sent in the order in which they happened; who receives them does not rely on that.
    """

    id: str
    key: str
    event_type: str
    body: bytes
    """A CloudEvent in JSON, or what somebody else has sent."""
    traceparent: str | None = None
    """The trace that it is part of; the body has it too, and this one is for those who do not read it."""


class BrokerDownError(Exception):
    """The broker cannot be reached, or did not confirm in time: any message would fail now."""


class MessageRefusedError(Exception):
    """The broker is there and does not take this message; it may take others."""


Receive = Callable[[EventMessage], Awaitable[None]]
"""Takes a message from the broker. When it returns, the message is done with; when it raises, it comes again."""


class Broker(Protocol):
    """Carries events to other services, at least once, in whatever order."""

    async def publish(self, message: EventMessage) -> None:
        """Send a message, and wait until the broker has confirmed that it is stored.

        Raises:
            BrokerDownError: the broker is not there; the message may or may not have arrived.
            MessageRefusedError: the broker does not take this one.
        """

    def consuming(self, receive: Receive) -> AbstractAsyncContextManager[None]:
        """Receive messages for as long as the context is open; what was begun is finished when it ends.

        All processes of this service share the messages: each goes to one of them. What none has finished when it
        dies goes to another. A broker that is not there, or goes away, is waited for.
        """
        ...
