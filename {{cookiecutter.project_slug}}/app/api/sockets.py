"""WebSockets at the edge: who may open one, and how it is told that it may not, or not any more."""

import json
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from app.api.problems import problem

GOING_WRONG = 1011
TRY_LATER = 1013
NOT_ALLOWED = 1008
CLOSE_CODES = {429: TRY_LATER, 503: TRY_LATER, 504: TRY_LATER}
LONGEST_REASON = 123
"""In bytes: a close frame holds no more."""


def refuse_foreign_page(headers: Mapping[bytes, bytes], origins: Collection[str]) -> None:
    """Look from which web page a WebSocket comes: browsers let any page open one, and CORS does not hold for them.

    Args:
        headers: of the handshake. Who is no browser sends no `Origin`.
        origins: the pages of others that may (`CORS_ORIGINS`).

    Raises:
        HTTPException: it is a page of somebody else.
    """
    origin = headers.get(b"origin")
    if origin is None or "*" in origins or (sent := origin.decode("latin-1")) in origins:
        return
    if urlsplit(sent).netloc.lower() != headers.get(b"host", b"").decode("latin-1").lower():
        raise HTTPException(403, "Web pages of this origin may not open a WebSocket here.")


class Handshake:
    """What a WebSocket is answered: a refusal is a problem document, and after the handshake it is a close frame."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes]) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = list(headers.items())
        self._accepted = self._closed = False
        self._status = 0

    async def send(self, message: Message) -> None:
        """Send a message, or what it means at this point."""
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
        await answer(self._scope, self._receive, self.send)

    async def _close(self, message: Message) -> None:
        """Close with what a problem document says."""
        self._status = message.get("status", self._status)
        if self._closed or not message.get("body"):
            return
        code = CLOSE_CODES.get(self._status, GOING_WRONG if self._status >= 500 else NOT_ALLOWED)
        reason = str(json.loads(message["body"])["detail"]).encode()[:LONGEST_REASON].decode(errors="ignore")
        await self.send({"type": "websocket.close", "code": code, "reason": reason})
