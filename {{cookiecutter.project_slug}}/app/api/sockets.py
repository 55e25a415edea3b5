"""WebSockets at the edge: the check of their origin, and the translation of refusals."""

import json
from collections.abc import Collection, Mapping
from traceback import walk_tb
from typing import Any, NoReturn

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from app.api.problems import problem

GOING_WRONG = 1011
TRY_LATER = 1013
NOT_ALLOWED = 1008
CLOSE_CODES = {429: TRY_LATER, 503: TRY_LATER, 504: TRY_LATER}
LONGEST_REASON = 123
"""In bytes; a close frame cannot hold more."""


def refuse_foreign_page(headers: Mapping[bytes, bytes], origins: Collection[str]) -> None:
    """Check the origin of a WebSocket: browsers let any page open one, and CORS does not apply to them.

    Args:
        headers: the headers of the handshake. Clients other than browsers send no `Origin`.
        origins: the foreign origins that may open one (`CORS_ORIGINS`).

    Raises:
        HTTPException: if the page is of an origin that may not.
    """
    origin = headers.get(b"origin")
    if origin is None or "*" in origins or origin.decode("latin-1") in origins:
        return
    if origin.partition(b"://")[2].lower() != headers.get(b"host", b"").lower():
        raise HTTPException(403, "Web pages of this origin may not open a WebSocket here.")


def is_no_json(error: Exception) -> bool:
    """Whether Starlette's `receive_json` could not read a message; what an endpoint parses itself may be its bug."""
    in_receive_json = any(frame.f_code is WebSocket.receive_json.__code__ for frame, _ in walk_tb(error.__traceback__))
    return in_receive_json and isinstance(error, ValueError | RecursionError)


class Frame(dict[str, Any]):
    """A message from the client. An endpoint that reads text and gets bytes raises an error of the client, no bug."""

    def __missing__(self, kind: str) -> NoReturn:
        raise HTTPException(400, f"Send messages as {'text' if kind == 'text' else 'binary data'}.")


class Handshake:
    """Translates the refusal of a WebSocket: a problem document before the handshake, a close frame after it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes]) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = list(headers.items())
        self._accepted = self._closed = False
        self._status = 0

    async def receive(self) -> Message:
        """Receive a message; what the client did not send is absent, for some servers send None."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        return Frame({name: value for name, value in message.items() if value is not None})

    async def send(self, message: Message) -> None:
        """Send a message, translated to one that is valid in the present state of the handshake."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
        elif kind == "websocket.close":
            if self._closed:
                return
            self._closed = True
            if not self._accepted:
                await self._refuse(message.get("reason") or "")
                return
        elif self._accepted and kind.startswith("websocket.http.response"):
            await self._close(message)
            return
        if kind in ("websocket.accept", "websocket.http.response.start"):
            self._closed = kind != "websocket.accept"
            message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
        await self._send(message)

    async def _refuse(self, reason: str) -> None:
        if "endpoint" in self._scope:
            answer = problem(self._scope, 403, reason or "This WebSocket was refused.")
        else:
            answer = problem(self._scope, 404, "There is no WebSocket at this address.")
        await answer(self._scope, self.receive, self.send)

    async def _close(self, message: Message) -> None:
        """Close the WebSocket with the detail of a problem document as its reason."""
        self._status = message.get("status", self._status)
        if self._closed or not message.get("body"):
            return
        code = CLOSE_CODES.get(self._status, GOING_WRONG if self._status >= 500 else NOT_ALLOWED)
        reason = str(json.loads(message["body"])["detail"]).encode()[:LONGEST_REASON].decode(errors="ignore")
        await self.send({"type": "websocket.close", "code": code, "reason": reason})
