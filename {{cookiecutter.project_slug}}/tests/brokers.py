"""Real brokers for tests: what is on them, seen with their own clients, and a TCP proxy before them that can be cut.

A file `tests/broker_*.py` with a `SERVER` adds a broker.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from tests.surroundings import require_server


class Server(Protocol):
    """A broker that is running. What a test made there is under its topic."""

    url: str
    drops_duplicates: bool
    """Whether a message that is sent twice is stored once."""
    keeps_all: bool
    """Whether it keeps messages for groups that come later."""

    async def stored(self, topic: str) -> int:
        """How many messages it keeps, and would still have after a restart."""
        ...

    async def unsettled(self, topic: str) -> int:
        """How many messages the group has not settled; some servers leave out those that a consumer holds."""
        ...

    async def send(self, topic: str, body: bytes) -> None:
        """Send a message as somebody does who knows nothing of this service."""

    async def read(self, topic: str) -> list[bytes]:
        """What is stored, as somebody reads it who knows nothing of this service."""
        ...

    async def forget_group(self, topic: str) -> None:
        """Remove the consumer group, or the queue of it."""

    async def forget(self, topic: str) -> None:
        """Remove the topic, and all that the tests made for it."""


class LimitedServer(Server, Protocol):
    """A server that can have a limit for one topic alone."""

    async def refuse_large(self, topic: str) -> None:
        """From now on refuse an event of the type `Large` with more than 1,000 bytes."""

    async def too_large(self) -> int:
        """A number of bytes that no body may have, whatever the topic."""
        ...


class ClosingServer(Server, Protocol):
    """A server that closes the connection of a message that is too large, or has a `Wire` that does so in its place."""

    closes_above: int
    """The largest number of bytes that it takes for certain."""


def _servers() -> dict[str, Server]:
    modules = [import_module(f"tests.{file.stem}") for file in Path(__file__).parent.glob("broker_*.py")]
    return {urlsplit(module.SERVER.url).scheme: module.SERVER for module in modules}


SERVERS = _servers()
"""Servers on which the tests may make and remove what they need; nothing else of them is touched."""


@asynccontextmanager
async def own_topic(server: Server) -> AsyncIterator[str]:
    """A topic of its own, removed at the end. Without the server the test is skipped, or fails (REQUIRE_SERVICES=1)."""
    require_server(server.url, f"{urlsplit(server.url).scheme} was not tested")
    topic = f"test_{uuid4().hex}"
    yield topic
    await server.forget(topic)


class Wire:
    """A TCP proxy to a server, until it is cut."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        # Bound for as long as the wire is there: while it is cut, nobody else on this machine gets its port.
        self._bound = socket.socket()
        self._bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bound.bind(("127.0.0.1", 0))
        self._port = self._bound.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._whole = False
        self.frozen = False
        """Whether it swallows all bytes: connections stay open, but nothing passes."""
        self.closes_above: int | None = None
        """After how many bytes in one direction a connection is closed."""

    @property
    def url(self) -> str:
        """The URL of the server at the other end."""
        user, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{user}{at}127.0.0.1:{self._port}").geturl()

    async def mend(self) -> None:
        """Let connections through."""
        self._whole = True
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    async def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        assert self._server is not None
        self._whole = False
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    def close(self) -> None:
        """Give its port back."""
        self._bound.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers |= {writer, there[1]}
        if not self._whole:  # it was cut meanwhile
            writer.transport.abort()
        await asyncio.gather(self._carry(reader, there[1]), self._carry(there[0], writer))
        self._writers -= {writer, there[1]}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            carried = 0
            while data := await reader.read(65_536):
                carried += len(data)
                if self.closes_above is not None and carried > self.closes_above:
                    break
                if not self.frozen:
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    """A wire that is whole."""
    wire = Wire(url)
    await wire.mend()
    try:
        yield wire
    finally:
        await wire.cut()
        wire.close()
