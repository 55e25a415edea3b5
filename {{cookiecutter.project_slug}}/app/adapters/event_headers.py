"""How an event lies in a broker's message: its JSON as the body, the rest in headers."""

from typing import Any
from urllib.parse import quote, unquote

from faststream.message import StreamMessage

from app.core.broker import EventMessage

ID = "event-id"
KEY = "event-key"
TYPE = "event-type"
TRACE = "traceparent"
"""As W3C calls it."""


def headers_of(message: EventMessage) -> dict[str, str]:
    """The headers of a message. Values are quoted as in a URL, because not every broker takes any text."""
    headers = {ID: message.id, KEY: message.key, TYPE: message.event_type}
    if message.traceparent is not None:
        headers[TRACE] = message.traceparent
    return {name: quote(value) for name, value in headers.items()}


def event_of(received: StreamMessage[Any]) -> EventMessage | None:
    """The event in a message; None: somebody else has sent something else."""
    headers = received.headers
    if not {ID, KEY, TYPE} <= headers.keys() or not isinstance(received.body, bytes):
        return None
    event_id, key, event_type = (unquote(str(headers[name])) for name in (ID, KEY, TYPE))
    traceparent = unquote(str(headers[TRACE])) if TRACE in headers else None
    return EventMessage(event_id, key, event_type, received.body, traceparent)
