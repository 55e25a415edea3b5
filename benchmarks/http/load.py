"""Load: connections that each send a request as soon as they have the answer to the one before."""

import asyncio
import re
from collections.abc import Callable
from time import perf_counter
from typing import Self, cast

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PATIENCE_SECONDS = 30.0

MakeRequest = Callable[[], bytes]
"""Makes the bytes of one request."""


class UnexpectedAnswerError(Exception):
    """An answer was not the expected one, so the figures are worthless."""


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: benchmark", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Caller(asyncio.Protocol):
    """One connection, kept open."""

    def __init__(self) -> None:
        self._received = b""
        self._answered: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the connection."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Wait until the answer is complete."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if found and length is not None and len(body) >= int(length[1]) and self._answered is not None:
            self._answered.set_result(self._received)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody must wait for an answer that will not come."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(UnexpectedAnswerError(f"The service hung up: {exc}"))

    async def ask(self, sent: bytes) -> bytes:
        """Send a request; the answer with its headers."""
        self._received = b""
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(sent)
        return await self._answered

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class Crowd:
    """Several connections to one port of this machine."""

    def __init__(self, callers: list[Caller]) -> None:
        self._callers = callers

    @classmethod
    async def connected(cls, port: int, size: int) -> Self:
        """So many connections."""
        loop = asyncio.get_running_loop()
        return cls([(await loop.create_connection(Caller, "127.0.0.1", port))[1] for _ in range(size)])

    async def ask(self, sent: bytes) -> bytes:
        """One request over one of the connections; the body of its answer."""
        answer = await self._callers[0].ask(sent)
        return answer.partition(b"\r\n\r\n")[2]

    async def load(self, make: MakeRequest, seconds: float) -> tuple[int, float]:
        """Keep all connections busy for a while; how many answers came, and in how many seconds.

        Raises:
            UnexpectedAnswerError: an answer was not a success.
        """
        started = perf_counter()
        async with asyncio.timeout(seconds + PATIENCE_SECONDS):
            answers = await asyncio.gather(*(_repeat(each, make, started + seconds) for each in self._callers))
        return sum(answers), perf_counter() - started

    def close(self) -> None:
        """Hang up everywhere."""
        for caller in self._callers:
            caller.close()


async def _repeat(caller: Caller, make: MakeRequest, end: float) -> int:
    answers = 0
    while True:
        answer = await caller.ask(make())
        if not answer.startswith(b"HTTP/1.1 20"):
            raise UnexpectedAnswerError(answer.decode(errors="replace"))
        answers += 1
        if perf_counter() >= end:
            return answers
