"""What a connection is answered before there is a request, by the protocol that `app run` serves with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from app.api import protocol
from app.api.protocol import ProblemProtocol
from tests.core.cqrs.support import within_patience

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the names of the headers, as they are when the body has come."""
    while (await receive()).get("more_body"):
        pass
    names = b" ".join(name for name, _ in scope["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(names))]})
    await send({"type": "http.response.body", "body": names})


@pytest.fixture
def state() -> ServerState:
    """What a server knows of its connections."""
    return ServerState()


@pytest.fixture
async def port(state: ServerState) -> AsyncIterator[int]:
    """Where a server listens."""
    config = Config(echo, log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ProblemProtocol(config, state, {}), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for connection in list(state.connections):
        connection.transport.abort()
    await server.wait_closed()


async def answer_to(port: int, *parts: bytes) -> bytes:
    """All that is answered until the server hangs up, or has said what it has to say."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        with suppress(ConnectionError):  # who sends on after the end may not get to read the answer
            for part in parts:
                writer.write(part)
                await writer.drain()
            while read := await within_patience(reader.read(65_536)):
                answer += read
        return answer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("part", [b"a: b\r\n" * 10_000, b"x" * 60_000], ids=["many headers", "a long header"])
async def test_a_head_without_an_end_is_cut(port: int, part: bytes) -> None:
    answer = await answer_to(port, HEAD + b"X: ", *[part] * 100)
    assert answer == b"" or (answer.startswith(b"HTTP/1.1 431 ") and b"application/problem+json" in answer)


async def test_a_head_in_pieces_is_a_head(port: int) -> None:
    pieces = [bytes([letter]) for letter in HEAD + b"X-A: " + b"x" * 1000 + b"\r\nConnection: close\r\n\r\n"]
    assert (await answer_to(port, *pieces)).endswith(b"\r\n\r\nhost x-a connection")


async def test_many_requests_in_one_piece_are_no_long_head(port: int) -> None:
    requests = (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") * 5000
    answer = await answer_to(port, requests + b"GET / HTTP/1.1\r\nConn", b"ection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 5001


async def test_a_large_body_is_no_long_head(port: int) -> None:
    body = b"x" * 500_000
    sent = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert (await answer_to(port, sent)).startswith(b"HTTP/1.1 200 ")


CHUNKS = b"Transfer-Encoding: chunked\r\n"
BROKEN_BODIES = {
    "an unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "an encoding without chunks": b"Transfer-Encoding: gzip\r\n\r\nxx",
    "a size that is no number": CHUNKS + b"\r\nzz\r\n",
    "a size that is too large": CHUNKS + b"\r\n" + b"f" * 17 + b"\r\n",
    "a second size": CHUNKS + b"\r\n1\r\nx\r\n0x15\r\n",
}


@pytest.mark.parametrize("what", BROKEN_BODIES)
async def test_a_broken_body_is_answered_once(port: int, what: str) -> None:
    answer = await answer_to(port, HEAD + BROKEN_BODIES[what])
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_body_that_breaks_while_the_app_reads_it_is_answered_once(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + CHUNKS + b"Expect: 100-continue\r\n\r\n")
    assert await within_patience(reader.readuntil(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"zz\r\n")
    answer = await within_patience(reader.read())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("rest", [b"nonsense\r\n\r\n", HEAD + BROKEN_BODIES["a size that is no number"]])
async def test_what_is_broken_is_no_answer_to_the_request_before(port: int, rest: bytes) -> None:
    assert await answer_to(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + rest) == b""


async def test_who_sends_nothing_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    assert await answer_to(port) == b""


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["first", "second"])
async def test_who_sends_half_a_head_is_told_so_after_a_while(port: int, state: ServerState, before: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(before + HEAD)
    if before:
        await within_patience(reader.readuntil(b"\r\n\r\nhost"))
    (connection,) = await within_patience(connections_in(state))
    assert connection._late is not None
    connection._late._run()  # the time is over
    assert (await within_patience(reader.read())).startswith(b"HTTP/1.1 408 ")
    writer.close()
    await writer.wait_closed()


async def connections_in(state: ServerState) -> list[ProblemProtocol]:
    """The connections on which the head of a request is being read."""
    while not (found := [each for each in state.connections if isinstance(each, ProblemProtocol) and each.scope]):  # noqa: ASYNC110
        await asyncio.sleep(0)
    return found


async def test_what_follows_a_body_is_no_header(port: int) -> None:
    body = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
    assert (await answer_to(port, HEAD + body)).endswith(b"\r\n\r\nhost transfer-encoding connection")
