"""What HTTP forbids is refused, and whatever is refused is a problem document: bytes to a real server."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import WebSocket

from app.adapters.tokens_jwt import JwtAccessTokens
from app.core.config import Settings
from app.core.cqrs import AuthenticationError
from app.core.cqrs.testing import FixedClock
from app.main import create_app
from tests.databases import SqliteFiles, settings_for
from tests.serving import answer_to, listening

LIVE = b"GET /health/live HTTP/1.1\r\n"
HOST = b"Host: a\r\n"
END = b"Connection: close\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
LOGIN = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def settings(sqlite_files: SqliteFiles, tmp_path: Path) -> Iterator[Settings]:
    """Nothing here depends on the kind of database."""
    with sqlite_files.fresh(tmp_path) as url:
        yield settings_for(url, cors_origins="https://shop.example")


@pytest.fixture
async def port(settings: Settings) -> AsyncIterator[int]:
    """Where the service listens."""
    app = create_app(settings)

    @app.websocket("/ws")
    async def greet(websocket: WebSocket, count: int = 1) -> None:
        await websocket.accept()
        await websocket.send_text("hello" * count)

    @app.websocket("/never")
    async def never(websocket: WebSocket) -> None:
        await websocket.close(reason="Not today.")

    async with listening(app, settings) as port:
        yield port


def problem_in(answer: bytes) -> dict[str, Any]:
    """The problem document that was answered."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower(), answer
    document: dict[str, Any] = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % document["status"])
    assert document["detail"]
    return document


REFUSED: dict[str, tuple[int, bytes]] = {
    "no host": (400, LIVE + END),
    "two hosts": (400, LIVE + HOST + b"Host: b\r\n" + END),
    "the same host twice": (400, LIVE + HOST + HOST + END),
    "a host that is none": (400, LIVE + b"Host: a b\r\n" + END),
    "a path for a host": (400, LIVE + b"Host: a/b\r\n" + END),
    "two authorizations": (400, LIVE + HOST + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n" + END),
    "two keys": (400, LOGIN + b"Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 0\r\n" + END),
    "two types of content": (400, LOGIN + b"Content-Type: application/json\r\nContent-Length: 0\r\n" + END),
    "two origins": (400, LIVE + HOST + b"Origin: http://a\r\nOrigin: http://b\r\n" + END),
    "two lengths": (400, LOGIN + b"Content-Length: 1\r\nContent-Length: 2\r\n" + END + b"ab"),
    "the same length twice": (400, LOGIN + b"Content-Length: 1\r\nContent-Length: 1\r\n" + END + b"a"),
    "a length and chunks": (400, LOGIN + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" + END + b"0\r\n\r\n"),
    "chunks and a length": (400, LOGIN + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n" + END + b"0\r\n\r\n"),
    "a coding nobody knows": (501, LOGIN + b"Transfer-Encoding: gzip, chunked\r\n" + END + b"0\r\n\r\n"),
    "a coding without chunks": (400, LOGIN + b"Transfer-Encoding: gzip\r\n" + END + b"xx"),
    "a chunk of no size": (400, LOGIN + b"Transfer-Encoding: chunked\r\n" + END + b"zz\r\n"),
    "a chunk of no size for an endpoint without a body": (
        400,
        LIVE + HOST + b"Transfer-Encoding: chunked\r\n" + END + b"zz\r\n",
    ),
    "a broken escape": (400, b"GET /api/%zz HTTP/1.1\r\n" + HOST + END),
    "half an escape": (400, b"GET /api/users?role=100% HTTP/1.1\r\n" + HOST + END),
    "an address of nothing": (400, b"GET http://a HTTP/1.1\r\n" + HOST + END),
    "a tunnel": (400, b"CONNECT a:443 HTTP/1.1\r\n" + HOST + END),
    "the server itself": (404, b"OPTIONS * HTTP/1.1\r\n" + HOST + END),
    "a method nobody knows": (400, b"JUMP / HTTP/1.1\r\n" + HOST + END),
    "a trace": (404, b"TRACE /nowhere HTTP/1.1\r\n" + HOST + END),
    "a version nobody knows": (400, b"GET / HTTP/7.0\r\n" + HOST + END),
    "a space before a colon": (400, LIVE + b"Host : a\r\n" + END),
    "a folded header": (400, LIVE + HOST + b"X-A: b\r\n c\r\n" + END),
    "a preflight from elsewhere": (
        400,
        b"OPTIONS /api/users HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n"
        b"Access-Control-Request-Method: POST\r\n" + END,
    ),
    "a handshake with 300 headers": (431, UPGRADE + HOST + KEY + b"X-A: b\r\n" * 300 + b"\r\n"),
    "a handshake with 110 headers": (431, UPGRADE + HOST + KEY + b"X-A: b\r\n" * 110 + b"\r\n"),
    "a handshake with a long header": (431, UPGRADE + HOST + KEY + b"X-A: " + b"b" * 9000 + b"\r\n\r\n"),
    "a handshake with a long address": (
        414,
        UPGRADE.replace(b"/ws", b"/ws?" + b"b" * 8180) + HOST + KEY + b"\r\n",
    ),
    "a handshake without a host": (400, UPGRADE + KEY + b"\r\n"),
    "a handshake with two hosts": (400, UPGRADE + HOST + HOST + KEY + b"\r\n"),
    "a handshake without a key": (400, UPGRADE + HOST + b"Sec-WebSocket-Version: 13\r\n\r\n"),
    "a handshake of another version": (400, UPGRADE + HOST + KEY.replace(b"13", b"8") + b"\r\n"),
    "a handshake from elsewhere": (403, UPGRADE + HOST + KEY + b"Origin: https://evil.example\r\n\r\n"),
    "a handshake from what is no address": (403, UPGRADE + HOST + KEY + b"Origin: http://[\r\n\r\n"),
    "a handshake from nowhere": (403, UPGRADE + HOST + KEY + b"Origin: null\r\n\r\n"),
    "a handshake with what is no number": (422, UPGRADE.replace(b"/ws", b"/ws?count=x") + HOST + KEY + b"\r\n"),
    "a handshake at no address": (404, UPGRADE.replace(b"/ws", b"/nowhere") + HOST + KEY + b"\r\n"),
    "a handshake that the endpoint refuses": (403, UPGRADE.replace(b"/ws", b"/never") + HOST + KEY + b"\r\n"),
    "a handshake with an escape that is none": (400, UPGRADE.replace(b"/ws", b"/%zz") + HOST + KEY + b"\r\n"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_forbidden_is_refused_with_a_problem_document(
    port: int, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, sent = REFUSED[what]
    assert problem_in(await answer_to(port, sent))["status"] == status
    assert "ASGI" not in capsys.readouterr().err, "the app is not to blame for a refusal"


async def test_what_is_unusual_and_allowed_is_answered(port: int) -> None:
    for sent in (
        b"GET /health/live HTTP/1.0\r\n\r\n",
        b"GET http://a/health/live HTTP/1.1\r\n" + HOST + END,
        LIVE + b"Host: [::1]:8000\r\n" + END,
        LIVE + b"Host:\r\n" + END,
        b"GET /health/live?a=%C3%A9 HTTP/1.1\r\n" + HOST + END,
    ):
        assert (await answer_to(port, sent)).startswith(b"HTTP/1.1 200 "), sent
    for origin in (b"", b"Origin: http://a\r\n", b"Origin: https://shop.example\r\n"):
        opened = await answer_to(port, UPGRADE + HOST + KEY + origin + b"\r\n\x88\x80\0\0\0\0")
        assert opened.startswith(b"HTTP/1.1 101 "), opened


async def test_a_preflight_that_is_allowed_is_answered(port: int) -> None:
    asked = b"OPTIONS /api/users HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\n"
    answer = await answer_to(port, asked + b"Access-Control-Request-Method: POST\r\n" + END)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"access-control-allow-origin: https://shop.example" in answer


def spellings(token: str) -> list[str]:
    """What a lenient reader takes for the same token."""
    head, claims, signature = token.split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signature[-1])
    others = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last - last % 4 : last - last % 4 + 4]
    same = [f"{head}.{claims}.{signature[:-1]}{letter}" for letter in others if letter != signature[-1]]
    return [
        *same,
        f"{token}=",
        f"{head}=.{claims}.{signature}",
        f"{token}\n",
        f"{head}.{claims}.{signature[:9]}+{signature[9:]}",
    ]


def test_a_token_has_one_spelling(settings: Settings) -> None:
    tokens = JwtAccessTokens(settings, FixedClock(datetime.now(UTC)))
    token = tokens.issue(UUID(int=1), UUID(int=2))
    assert base64.urlsafe_b64decode(token.split(".")[2] + "=")
    for spelling in spellings(token):
        with pytest.raises(AuthenticationError):
            tokens.read(spelling)
    assert tokens.read(token).user_id == UUID(int=1)
