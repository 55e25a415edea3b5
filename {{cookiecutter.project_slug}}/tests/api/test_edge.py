"""What holds for every request: ids, security headers, limits and the last resort."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from httpx2 import ASGITransport, AsyncClient
from starlette.responses import StreamingResponse

from app.api.edge import protect
from app.api.errors import answer_errors
from app.core.logging import configure_logging, current_request
from tests.databases import settings_for

LIMIT = 1000


def small_app() -> FastAPI:
    configure_logging()
    app = FastAPI()

    @app.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.get("/logged")
    async def logged() -> str | None:
        return current_request.get()

    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("the password is hunter2")

    @app.get("/breaks-off")
    async def breaks_off() -> StreamingResponse:
        async def half() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("the other half is missing")

        return StreamingResponse(half())

    @app.get("/open/{name}")
    async def opened(name: str, q: str = "") -> str:
        return name + q

    answer_errors(app)
    limits = {"max_body_bytes": LIMIT, "body_timeout_seconds": 0.2, "cors_origins": "https://shop.example"}
    protect(app, settings_for("sqlite:///x.db", **limits).model_copy(update={"environment": "production"}))
    return app


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(small_app()), base_url="http://service") as client:
        yield client


async def call(scope: dict[str, Any], *received: dict[str, Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Call the app as a server would, with what no client library lets through; it never sends more than this."""
    sent: list[Any] = []
    waiting = list(received)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else await asyncio.Future()

    async def send(message: Any) -> None:
        sent.append(message)

    base = {"type": "http", "method": "GET", "path": "/open/x", "query_string": b"", "headers": [], "scheme": "http"}
    await small_app()({**base, **scope}, receive, send)
    start, *rest = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, json.loads(b"".join(message["body"] for message in rest))


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_sane_request_id_is_kept_and_any_other_is_replaced(client: AsyncClient) -> None:
    kept = await client.get("/open/x", headers={"X-Request-ID": "order-17"})
    replaced = await client.get("/open/x", headers={"X-Request-ID": "a b\t" * 9})
    made = await client.get("/open/x")

    assert kept.headers["X-Request-ID"] == "order-17"
    assert len(replaced.headers["X-Request-ID"]) == len(made.headers["X-Request-ID"]) == 36


@pytest.mark.parametrize("path", ["/open/x", "/fails", "/nothing", "/open/%00"])
async def test_every_answer_has_an_id_and_the_security_headers(client: AsyncClient, path: str) -> None:
    response = await client.get(path, headers={"X-Request-ID": "r1"})

    assert response.headers["X-Request-ID"] == "r1"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Strict-Transport-Security"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_a_bug_is_answered_with_a_sentence_and_nothing_else(client: AsyncClient) -> None:
    response = await client.get("/fails", headers={"X-Request-ID": "r1", "Origin": "https://shop.example"})

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["access-control-allow-origin"] == "https://shop.example"
    assert response.json() == {
        "type": "urn:problem:failed",
        "title": "Something went wrong",
        "status": 500,
        "detail": "Something went wrong on our side; it is in the logs, under the id given here.",
        "instance": "/fails",
        "request_id": "r1",
    }


async def test_while_a_request_is_answered_logs_know_its_id(client: AsyncClient) -> None:
    answered = await client.get("/logged", headers={"X-Request-ID": "r1"})
    assert (answered.json(), current_request.get()) == ("r1", None)


async def test_half_an_answer_is_broken_off_rather_than_completed(client: AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="the other half is missing"):
        await client.get("/breaks-off")


async def test_browsers_of_other_origins_are_told_nothing(client: AsyncClient) -> None:
    asked = {"Access-Control-Request-Method": "PATCH"}
    known = await client.options("/open/x", headers={"Origin": "https://shop.example", **asked})
    unknown = await client.options("/open/x", headers={"Origin": "https://evil.example", **asked})

    assert known.headers["access-control-allow-origin"] == "https://shop.example"
    assert unknown.status_code == 400
    assert "access-control-allow-origin" not in unknown.headers


async def test_a_body_up_to_the_limit_is_taken(client: AsyncClient) -> None:
    assert (await client.post("/length", content=b"x" * LIMIT)).json() == LIMIT


async def test_a_body_announced_as_too_long_is_refused_before_it_is_read(client: AsyncClient) -> None:
    response = await client.post("/length", content=b"x" * (LIMIT + 1))

    assert response.status_code == 413
    assert response.json()["detail"] == "The body is longer than 1000 bytes."
    assert response.headers["connection"] == "close"


async def test_a_body_of_unknown_length_is_counted(client: AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    response = await client.post("/length", content=chunks())

    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_rest_of_a_refused_body_is_taken_and_thrown_away() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield b"x" * LIMIT

    async with AsyncClient(transport=ASGITransport(small_app()), base_url="http://service") as client:
        response = await client.post("/length", content=endless())

    assert (response.status_code, taken) == (413, 50)


@pytest.mark.parametrize("received", [[], [part(b"x")]])
async def test_a_body_that_does_not_come_is_not_waited_for(received: list[dict[str, Any]]) -> None:
    scope = {"method": "POST", "path": "/length", "headers": [(b"content-length", b"10")]}

    status, headers, body = await call(scope, *received)

    assert (status, headers["connection"]) == (408, "close")
    assert body["detail"] == "The body took too long to come."


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"raw_path": b"/open/%00"}, 400),
        ({"raw_path": b"/open/%ED%A0%80"}, 400),
        ({"raw_path": b"/open/\xff"}, 400),
        ({"path": "/open/\ud800"}, 400),
        ({"path": "/open/\0"}, 400),
        ({"query_string": b"q=%00"}, 400),
        ({"query_string": b"q=%ED%A0%80"}, 400),
        ({"query_string": b"q=\xed\xa0\x80"}, 400),
        ({"query_string": b"q=" + b"x" * 9000}, 414),
        ({"raw_path": b"/open/" + b"x" * 9000}, 414),
        ({"headers": [(b"x", b"\0")]}, 400),
        ({"headers": [(b"x", b"x" * 40_000)]}, 431),
        ({"headers": [(b"x", b"x")] * 101}, 431),
        ({"headers": [(b"content-length", b"x")]}, 400),
        ({"headers": [(b"content-length", b"-1")]}, 400),
        ({"headers": [(b"content-length", "٣".encode())]}, 400),
        ({"headers": [(b"content-length", b"9" * 5000)]}, 413),
    ],
)
async def test_what_cannot_be_right_is_refused_before_the_app_sees_it(scope: dict[str, Any], status: int) -> None:
    answered, headers, body = await call(scope, part(b"", more=False))

    assert (answered, body["status"]) == (status, status)
    assert headers["content-type"] == "application/problem+json"


async def test_ordinary_text_passes(client: AsyncClient) -> None:
    assert (await client.get("/open/Žluťoučký%20kůň", params={"q": "🐎"})).json() == "Žluťoučký kůň🐎"
