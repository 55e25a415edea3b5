"""What of HTTP no app gets to see: what is none, heads of requests that are too long or too slow, and trailers."""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Response
from websockets.server import ServerProtocol

from app.api.limits import LONGEST_ADDRESS, LONGEST_HEADERS
from app.api.problems import problem

HEAD_SECONDS = 15.0
"""How long a client may take to send the head of a request, or to begin after it has connected."""


class ProblemProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, with limits where the app has none yet, and problem documents for its lines of text."""

    _reads_head = True
    _began = False
    """Whether a request began with what is being received."""
    _head_bytes = 0
    _late: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.ws_protocol_class is not None:
            self.ws_protocol_class = ProblemWebSocket

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._no_longer_late()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Read the head of a request."""
        super().on_message_begin()
        self._reads_head = self._began = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Let the app see the head. What follows a body is no part of it: nobody looked whether it may come."""
        self._reads_head = False
        self._no_longer_late()
        super().on_headers_complete()
        self.headers = list(self.headers)

    def data_received(self, data: bytes) -> None:
        """Read on, but not a head without an end."""
        self._began = False
        super().data_received(data)
        if not self._reads_head or self.transport.is_closing():
            return
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._give_up)
        if not self._began:  # else only the parser knows how much of it was head
            self._head_bytes += len(data)
        if self._head_bytes > LONGEST_ADDRESS + LONGEST_HEADERS:
            self._hang_up(431, "The address and the headers are too long.")

    def send_400_response(self, msg: str) -> None:
        """Tell the client that this is not HTTP."""
        self._hang_up(400, msg)

    def _give_up(self) -> None:
        self._hang_up(408, "The request took too long to come.")

    def _no_longer_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _hang_up(self, status: int, sentence: str) -> None:
        """Answer and close the connection; in the middle of an answer, or if nothing was asked, only close it."""
        self._no_longer_late()
        if self.scope is not None and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(_as_bytes(status, sentence))
        self.transport.close()


def _as_bytes(status: int, sentence: str) -> bytes:
    """An answer of its own, after which the connection is closed."""
    response = problem({"path": ""}, status, sentence, headers={"Connection": "close"})
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])


class ProblemWebSocket(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket protocol, which refuses a handshake with a problem document, and none by silence."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn.reject = self._reject  # type: ignore[method-assign]

    def _reject(self, status: int, text: str) -> Response:
        """What a client is told whose handshake is none, and where everything else failed."""
        refusal = ServerProtocol.reject(self.conn, status, text)
        document = problem({"path": ""}, refusal.status_code, text.strip() or "The WebSocket was refused.")
        refusal.body = bytes(document.body)
        for name in ("Content-Type", "Content-Length"):
            del refusal.headers[name]
            refusal.headers[name] = document.headers[name]
        return refusal

    def data_received(self, data: bytes) -> None:
        """Read on; a head in which the library finds no handshake gets the answer that uvicorn does not send."""
        super().data_received(data)
        if self.handshake_initiated or self.conn.handshake_exc is None or self.transport.is_closing():
            return
        self.close_sent = self.handshake_complete = True
        refusal = b"".join(self.conn.data_to_send())
        self.transport.write(refusal or _as_bytes(400, "This is no handshake of a WebSocket."))
        self.transport.close()
