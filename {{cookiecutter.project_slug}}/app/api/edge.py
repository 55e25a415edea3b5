"""ASGI middleware at the edge of the service, for every request and WebSocket whatever its endpoint.

From the outside in: `Decorate` (request id, security headers), CORS, `Guard` (limits, last resort), the app.
"""

import re
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.api.errors import tell_bug, unexpected_problem
from app.api.limits import Exchange, announces_body, refuse_request
from app.api.problems import problem
from app.api.sockets import Handshake, is_no_json, refuse_foreign_page
from app.core.config import Settings
from app.core.ids import random_id
from app.core.logging import current_request

SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C's "Trace Context", version 00: version, trace, parent span, flags."""
CONNECTIONS = ("http", "websocket")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""What each response has, unless its endpoint gives it another value."""


def protect(app: FastAPI, settings: Settings) -> None:
    """Add the edge middleware to an app. The middleware that is added last is outermost."""
    app.add_middleware(Guard, settings=settings)
    if settings.allowed_origins:
        app.add_middleware(
            Cors,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Idempotency-Key", "X-Request-ID", "X-Correlation-ID", "traceparent"],
            expose_headers=["Location", "Retry-After", "X-Request-ID", "Idempotency-Replayed"],
        )
    app.add_middleware(Decorate, https_only=settings.environment == "production")


class Cors(CORSMiddleware):
    """Starlette's CORS middleware, but a refused preflight is answered with a problem document."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return problem({"path": ""}, answer.status_code, f"{bytes(answer.body).decode()}.", headers=kept)


class Decorate:
    """Gives every request an id, and every answer that id and the security headers."""

    def __init__(self, app: ASGIApp, https_only: bool) -> None:
        self.app = app
        headers = SECURITY_HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if https_only else {})
        self._headers = {name.lower().encode(): value.encode() for name, value in headers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or one WebSocket from its handshake to its end."""
        if scope["type"] not in CONNECTIONS:
            await self.app(scope, receive, send)
            return
        # A copy, because some servers give the same state to all requests.
        state = scope["state"] = {**scope.get("state", {}), **_state_of(dict(scope["headers"]))}
        request_id = state["request_id"]

        async def send_decorated(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["answering"] = True
                self._decorate(message, request_id)
            await send(message)

        answers = send_decorated
        if scope["type"] == "websocket":
            given = {b"x-request-id": request_id.encode(), **self._headers}
            socket = Handshake(scope, receive, send, given)
            receive, answers = socket.receive, socket.send
        named = current_request.set(request_id)
        try:
            await self.app(scope, receive, answers)
        finally:
            current_request.reset(named)

    def _decorate(self, message: Message, request_id: str) -> None:
        ours = self._headers
        given = {name.lower() for name, _ in message.get("headers", ())}
        if not given.isdisjoint(ours):
            ours = {name: value for name, value in ours.items() if name not in given}
        message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode()), *ours.items()]


def _state_of(headers: dict[bytes, bytes]) -> dict[str, Any]:
    """The state of a request: its headers, and the ids that it was sent with or is given."""
    request_id = _matching(SANE_ID, headers.get(b"x-request-id")) or random_id()
    return {
        "request_id": request_id,
        "correlation_id": _matching(SANE_ID, headers.get(b"x-correlation-id")) or request_id,
        "traceparent": _matching(TRACEPARENT, headers.get(b"traceparent")),
        "headers": headers,
    }


def _matching(pattern: re.Pattern[bytes], sent: bytes | None) -> str | None:
    """An id that a client sent, if it is safe in logs and headers."""
    return sent.decode() if sent and pattern.fullmatch(sent) else None


class Guard:
    """Refuses requests that are too large, too slow or not UTF-8 text, and answers unhandled errors."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._origins = settings.allowed_origins
        self._max_body_bytes = settings.max_body_bytes
        self._body_timeout_seconds = settings.body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] not in CONNECTIONS:
            await self.app(scope, receive, send)
            return
        headers = scope["state"]["headers"]
        if scope["type"] == "http" and announces_body(headers):
            exchange = Exchange(receive, send, self._max_body_bytes, self._body_timeout_seconds)
            receive, send = exchange.receive, exchange.send
        try:
            refuse_request(scope, headers, self._max_body_bytes)
            if scope["type"] == "websocket":
                refuse_foreign_page(headers, self._origins)
            await self.app(scope, receive, send)
        except HTTPException as refusal:
            await problem(scope, refusal.status_code, refusal.detail)(scope, receive, send)
        except WebSocketDisconnect:
            pass  # the client disconnected, and the endpoint did not catch that
        except Exception as error:
            await _answer_to(error, scope)(scope, receive, send)


def _answer_to(error: Exception, scope: Scope) -> Response:
    if is_no_json(error):
        return problem(scope, 400, "The message is not JSON.")
    tell_bug(scope, error)
    if "answering" in scope:
        raise error  # a response that has begun cannot be replaced: the server drops the connection
    return unexpected_problem(scope)
