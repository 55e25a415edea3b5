"""The edge of the service, pure ASGI: what holds for every request, whichever endpoint it is for.

From the outside in: `Decorate` (request id, security headers), CORS, `Guard` (limits, last resort), the app.
"""

import asyncio
import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes
from uuid import uuid4

import structlog
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import unexpected_problem
from app.api.problems import problem

SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
MOST_HEADERS = 100
LONGEST_HEADERS = 32 * 1024
LONGEST_ADDRESS = 8 * 1024
DOCUMENTATION = ("/docs", "/redoc")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
NOTHING_LOADS = "default-src 'none'; frame-ancestors 'none'"
# The pages of FastAPI load their scripts from where FastAPI says, and start them inline.
PAGES_LOAD = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    "font-src https://fonts.gstatic.com; img-src 'self' data: https:; worker-src blob:; frame-ancestors 'none'"
)
logger = structlog.get_logger(__name__)


def protect(
    app: FastAPI,
    *,
    max_body_bytes: int,
    body_timeout_seconds: float,
    cors_origins: Sequence[str] = (),
    https_only: bool = False,
) -> None:
    """Put the edge around an app. What is added last is outermost."""
    app.add_middleware(Guard, max_body_bytes=max_body_bytes, body_timeout_seconds=body_timeout_seconds)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Idempotency-Key", "X-Request-ID", "X-Correlation-ID"],
            expose_headers=["Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(Decorate, https_only=https_only)


class Decorate:
    """Gives every request an id, and every answer that id and the security headers."""

    def __init__(self, app: ASGIApp, https_only: bool) -> None:
        self.app = app
        headers = SECURITY_HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if https_only else {})
        self._for_data = _raw(headers | {"Content-Security-Policy": NOTHING_LOADS})
        self._for_pages = _raw(headers | {"Content-Security-Policy": PAGES_LOAD})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _sane(headers.get(b"x-request-id")) or str(uuid4())
        correlation_id = _sane(headers.get(b"x-correlation-id")) or request_id
        # A copy, because some servers give the same state to all requests.
        scope["state"] = {**scope.get("state", {}), "request_id": request_id, "correlation_id": correlation_id}

        async def send_decorated(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._decorate(scope, message, request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, send_decorated)

    def _decorate(self, scope: Scope, message: Message, request_id: str) -> None:
        given = [*message.get("headers", ())]
        names = {name.lower() for name, _ in given}
        ours = self._for_pages if scope["path"].startswith(DOCUMENTATION) else self._for_data
        given.append((b"x-request-id", request_id.encode()))
        given.extend(header for header in ours if header[0] not in names)
        message["headers"] = given


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _sane(sent: bytes | None) -> str | None:
    """An id that somebody else made, if it can stand in logs and headers."""
    return sent.decode() if sent and SANE_ID.fullmatch(sent) else None


class Guard:
    """Stops what is too large, too slow or no text, and answers where everything else failed."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, body_timeout_seconds: float) -> None:
        self.app = app
        self._max_body_bytes = max_body_bytes
        self._body_timeout_seconds = body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, self._max_body_bytes, self._body_timeout_seconds)
        try:
            refuse_request(scope, self._max_body_bytes)
            await self.app(scope, exchange.receive, exchange.send)
        except HTTPException as refusal:
            await problem(scope, refusal.status_code, refusal.detail)(scope, receive, exchange.send)
        except Exception:
            logger.exception("request_failed", method=scope["method"], path=scope["path"])
            if exchange.answering:
                raise  # half an answer cannot be taken back: the server drops the connection
            await unexpected_problem(scope)(scope, receive, exchange.send)


def refuse_request(scope: Scope, max_body_bytes: int) -> None:
    """Look at what came before the body.

    Raises:
        HTTPException: it is too large, or no text.
    """
    headers, path, query = scope["headers"], _raw_path(scope), scope["query_string"]
    if len(path) + len(query) > LONGEST_ADDRESS:
        raise HTTPException(414, f"The address is longer than {LONGEST_ADDRESS} bytes.")
    if not (_is_text(path) and _is_text(query)):
        raise HTTPException(400, "The address is not UTF-8 text.")
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > LONGEST_HEADERS:
        raise HTTPException(431, f"There are more than {MOST_HEADERS} headers, or {LONGEST_HEADERS} bytes of them.")
    if any(b"\0" in value for _, value in headers):
        raise HTTPException(400, "A header holds a character that no header may hold.")
    length = dict(headers).get(b"content-length", b"0")
    if not length.isdigit():
        raise HTTPException(400, "Content-Length is no number.")
    if len(length) > 18 or int(length) > max_body_bytes:
        raise _too_large(max_body_bytes)


def _raw_path(scope: Scope) -> bytes:
    return scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")  # type: ignore[no-any-return]


def _is_text(raw: bytes) -> bool:
    try:
        return "\0" not in (unquote_to_bytes(raw) if b"%" in raw else raw).decode()
    except UnicodeDecodeError:
        return False


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"The body is longer than {most} bytes.")


class Exchange:
    """One request and its answer: counts the body as it comes, and waits for it only so long.

    An answer to a body that has not come completely closes the connection, but not before the client had
    the time to read it: a client that is still sending would see its connection break instead.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int, timeout_seconds: float) -> None:
        self.answering = False
        self._receive = receive
        self._send = send
        self._most = most
        self._size = 0
        self._deadline = asyncio.get_running_loop().time() + timeout_seconds
        self._complete = False
        self._announced = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in scope["headers"]
        )

    async def receive(self) -> Message:
        """Receive the next part of the body.

        Raises:
            HTTPException: it is too large or too slow.
        """
        if self._complete:
            return await self._receive()
        try:
            message = await self._next()
        except TimeoutError:
            raise HTTPException(408, "The body took too long to come.") from None
        if self._size > self._most:
            raise _too_large(self._most)
        return message

    async def _next(self) -> Message:
        async with asyncio.timeout_at(self._deadline):
            message = await self._receive()
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message

    @property
    def _is_open(self) -> bool:
        return self._announced and not self._complete

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.answering = True
            if self._is_open:
                MutableHeaders(scope=message)["Connection"] = "close"
        elif self._is_open and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._discard_rest()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _discard_rest(self) -> None:
        try:
            while not self._complete:
                await self._next()
        except TimeoutError:
            self._complete = True
