"""The headers beside a CloudEvent in a broker message. The body has the same data, so publishers may omit them."""

from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

from faststream.message import StreamMessage

from app.core.broker import CONTENT_TYPE, EventMessage

ID = "event-id"
KEY = "event-key"
TYPE = "event-type"
TRACE = "traceparent"
"""The name that W3C Trace Context defines."""


def headers_of(message: EventMessage) -> dict[str, str]:
    """The headers of a message. Values are quoted as in a URL, because not every broker accepts arbitrary text."""
    headers = {ID: message.id, KEY: message.key, TYPE: message.event_type}
    if message.traceparent is not None:
        headers[TRACE] = message.traceparent
    return {"content-type": CONTENT_TYPE} | {name: quote(value) for name, value in headers.items()}


def event_of(received: StreamMessage[Any]) -> EventMessage:
    """The received message, of any publisher. Without headers its id is the body's digest, the same if sent again."""
    headers = {
        name: unquote(str(received.headers[name])) for name in (ID, KEY, TYPE, TRACE) if name in received.headers
    }
    body = received.body if isinstance(received.body, bytes) else b""
    event_id = headers.get(ID) or sha256(body).hexdigest()
    return EventMessage(event_id, headers.get(KEY) or event_id, headers.get(TYPE, ""), body, headers.get(TRACE))
