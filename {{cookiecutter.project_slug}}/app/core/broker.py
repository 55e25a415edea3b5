"""The port to a message broker, through which services exchange public events."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

CONTENT_TYPE = "application/cloudevents+json"
"""Content type of every message body: a CloudEvent in structured mode."""


@dataclass(frozen=True, slots=True)
class EventMessage:
    """An event as a message of a broker.

    Two messages with the same `id` are duplicates. Messages with the same `key` are events of the same aggregate,
    and are sent in the order of these events; receivers do not rely on that order.
    """

    id: str
    key: str
    event_type: str
    body: bytes
    """A CloudEvent in JSON, or the body of a foreign publisher."""
    traceparent: str | None = None
    """The trace that the event is part of, for receivers that do not read the body, which contains it too."""


class BrokerDownError(Exception):
    """The broker cannot be reached, or did not confirm in time: every message would fail now."""


class MessageRefusedError(Exception):
    """The broker is up and rejects this message; it may accept others."""


Receive = Callable[[EventMessage], Awaitable[None]]
"""Receives a message of the broker. When it returns, the message is settled; when it raises, it is delivered again."""


class Broker(Protocol):
    """Carries events to other services, at least once and in any order."""

    async def publish(self, message: EventMessage) -> None:
        """Send a message, and wait until the broker has confirmed that it is stored.

        Raises:
            BrokerDownError: if the broker cannot be reached; the message may or may not have arrived.
            MessageRefusedError: if the broker rejects this message.
        """

    def consuming(self, receive: Receive) -> AbstractAsyncContextManager[None]:
        """Receive messages while the context is open. On exit, messages in progress are finished.

        All processes of this service share the messages: each goes to one of them. If a process dies, its unfinished
        messages go to another. A broker that is down, or goes down, is waited for; a stream, queue or group that was
        deleted there is created again.
        """
        ...
