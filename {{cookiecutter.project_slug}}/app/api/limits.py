"""Limits of requests: the size of address, headers and body, and the time that a body may take to arrive."""

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

MOST_HEADERS = 100
LONGEST_HEADERS = 32 * 1024
LONGEST_ADDRESS = 8 * 1024


SAID_ONCE = frozenset(
    {b"host", b"authorization", b"content-length", b"content-type", b"idempotency-key", b"origin", b"transfer-encoding"}
)
"""Headers that must not be repeated: one program would use the first value, and another the last."""
HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def announces_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request with these headers has a body."""
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def refuse_request(scope: Scope, headers: Mapping[bytes, bytes], max_body_bytes: int) -> None:
    """Check the address and the headers of a request.

    Raises:
        HTTPException: if they are too large, not UTF-8 text, or not valid HTTP.
    """
    path, query = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass"), scope["query_string"]
    if len(path) + len(query) > LONGEST_ADDRESS:
        raise HTTPException(414, f"The address is longer than {LONGEST_ADDRESS} bytes.")
    if not _is_text(path + b"?" + query):
        raise HTTPException(400, "The address is not UTF-8 text.")
    if BROKEN_ESCAPE.search(path) or BROKEN_ESCAPE.search(query):
        raise HTTPException(400, "A % in the address is not followed by two hexadecimal digits.")
    raw = b"".join(map(b"".join, scope["headers"]))
    if len(scope["headers"]) > MOST_HEADERS or len(raw) > LONGEST_HEADERS:
        raise HTTPException(431, f"There are more than {MOST_HEADERS} headers, or {LONGEST_HEADERS} bytes of them.")
    if b"\0" in raw:
        raise HTTPException(400, "A header holds a character that no header may hold.")
    _refuse_ambiguous(scope, headers)
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise HTTPException(400, "Content-Length is no number.")
    if len(length) > 18 or int(length) > max_body_bytes:
        raise _too_large(max_body_bytes)


def _refuse_ambiguous(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    if len(headers) != len(scope["headers"]):
        names = [name for name, _ in scope["headers"]]
        if twice := [name.decode() for name in SAID_ONCE.intersection(names) if names.count(name) > 1]:
            raise HTTPException(400, f"A header was sent twice that may be sent once: {', '.join(sorted(twice))}.")
    host = headers.get(b"host")
    if host is None and scope.get("http_version") == "1.1":
        raise HTTPException(400, "A request of HTTP/1.1 must have a Host header.")
    if host is not None and HOST.fullmatch(host) is None:
        raise HTTPException(400, "The Host header is no host.")
    if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise HTTPException(501, "A body may be sent in chunks, and in no other transfer encoding.")


def _is_text(raw: bytes) -> bool:
    try:
        return "\0" not in (unquote_to_bytes(raw) if b"%" in raw else raw).decode()
    except UnicodeDecodeError:
        return False


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"The body is longer than {most} bytes.")


class Exchange:
    """A request with a body, and its response: limits the size of the body and the time that it may take to arrive.

    A response to an incomplete body closes the connection, but only after the rest of the body was discarded or is too
    late: otherwise the connection of a client that is still sending would break before it has read the response.
    """

    def __init__(self, receive: Receive, send: Send, most: int, timeout_seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._most = most
        self._size = 0
        self._deadline = asyncio.get_running_loop().time() + timeout_seconds
        self._complete = False

    async def receive(self) -> Message:
        """Receive the next part of the body.

        Raises:
            HTTPException: if the body is too large or too slow.
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

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if not self._complete:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            elif not message.get("more_body", False):
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
