"""Uvicorn protocols that refuse malformed, oversized or slow heads with problem documents, and ignore trailers."""

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
    """Uvicorn's HTTP protocol, with limits that hold before the app is called, and problem documents as errors."""

    _reads_head = True
    _began = False
    """Whether a request began in the data that is being received."""
    _head_bytes = 0
    _late: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.ws_protocol_class is not None:
            self.ws_protocol_class = ProblemWebSocket

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the head of the first request."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._no_longer_late()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Start to count the bytes of a request's head."""
        super().on_message_begin()
        self._reads_head = self._began = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Pass the head to the app. Trailers are added to a copy of the headers, since no check has seen them."""
        self._reads_head = False
        self._no_longer_late()
        super().on_headers_complete()
        self.headers = list(self.headers)

    def data_received(self, data: bytes) -> None:
        """Parse data, but refuse a head that is too long or takes too long."""
        self._began = False
        super().data_received(data)
        if not self._reads_head or self.transport.is_closing():
            return
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._give_up)
        if not self._began:  # otherwise only the parser knows how much of the data belongs to the head
            self._head_bytes += len(data)
        if self._head_bytes > LONGEST_ADDRESS + LONGEST_HEADERS:
            self._hang_up(431, "The address and the headers are too long.")

    def send_400_response(self, msg: str) -> None:
        """Refuse data that is not HTTP."""
        self._hang_up(400, msg)

    def _give_up(self) -> None:
        self._hang_up(408, "The request took too long to come.")

    def _no_longer_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _hang_up(self, status: int, sentence: str) -> None:
        """Answer and close the connection; before any request, or while another response is due, only close it."""
        self._no_longer_late()
        if self.scope is not None and self._may_answer():
            self.transport.write(_as_bytes(status, sentence))
            if self.cycle is not None:
                self.cycle.disconnected = True  # the app can write no second answer
        self.transport.close()

    def _may_answer(self) -> bool:
        """Whether no response has begun or is due, except to the request whose body is being received."""
        if self.cycle is None or self.cycle.response_complete:
            return True
        return self.cycle.more_body and not self.cycle.response_started and not self.pipeline


def _as_bytes(status: int, sentence: str) -> bytes:
    """A complete response, after which the connection is closed."""
    response = problem({"path": ""}, status, sentence, headers={"Connection": "close"})
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])


class ProblemWebSocket(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket protocol, which answers every refused handshake with a problem document."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn.reject = self._reject  # type: ignore[method-assign]

    def _reject(self, status: int, text: str) -> Response:
        """The response to an invalid handshake, and to one on which everything else failed."""
        refusal = ServerProtocol.reject(self.conn, status, text)
        document = problem({"path": ""}, refusal.status_code, text.strip() or "The WebSocket was refused.")
        refusal.body = bytes(document.body)
        for name in ("Content-Type", "Content-Length"):
            del refusal.headers[name]
            refusal.headers[name] = document.headers[name]
        return refusal

    async def send(self, message: Any) -> None:
        """Send a message. A refusal completes the handshake; otherwise uvicorn would log an error about the app."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    def data_received(self, data: bytes) -> None:
        """Parse data. An invalid handshake gets the library's response, which uvicorn does not send."""
        super().data_received(data)
        if self.handshake_initiated or self.conn.handshake_exc is None or self.transport.is_closing():
            return
        self.close_sent = self.handshake_complete = True
        refusal = b"".join(self.conn.data_to_send())
        self.transport.write(refusal or _as_bytes(400, "This is no handshake of a WebSocket."))
        self.transport.close()
