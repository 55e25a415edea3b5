"""Real brokers for tests: what is on them, seen with their own clients, and a wire to them that can be cut."""

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

GROUP = "app"


class Server(Protocol):
    """A broker that is running. What a test made there is under its topic."""

    url: str
    drops_duplicates: bool
    """Whether it stores a message once that is sent twice."""
    keeps_all: bool
    """Whether it keeps messages for groups that come later."""

    async def stored(self, topic: str) -> int:
        """How many messages it keeps, and would still have after a restart."""
        ...

    async def unsettled(self, topic: str) -> int:
        """How many messages the group is not done with."""
        ...

    async def send(self, topic: str, body: bytes) -> None:
        """Send a message as somebody does who knows nothing of this service."""

    async def read(self, topic: str) -> list[bytes]:
        """What is stored, as somebody reads it who knows nothing of this service."""
        ...

    async def forget_group(self, topic: str) -> None:
        """Remove the consumer group, or the queue of it."""

    async def forget(self, topic: str) -> None:
        """Remove everything."""


class LimitedServer(Server, Protocol):
    """A server that can have a limit for one topic alone."""

    async def refuse_large(self, topic: str) -> None:
        """From now on take no message of 1,000 bytes or more."""

    async def too_large(self) -> int:
        """A number of bytes that no message may have, whatever the topic."""
        ...


class ClosingServer(Server, Protocol):
    """A server that closes the connection of a message that is too large."""

    closes_above: int
    """How many bytes it takes at least."""


def _servers() -> dict[str, Server]:
    modules = [import_module(f"tests.{file.stem}") for file in Path(__file__).parent.glob("broker_*.py")]
    return {urlsplit(module.SERVER.url).scheme: module.SERVER for module in modules}


SERVERS = _servers()
"""Servers on which the tests may make and remove what they need; nothing else of them is touched."""


@asynccontextmanager
async def own_topic(server: Server) -> AsyncIterator[str]:
    """A topic that nobody else has, of which nothing is left; the test is skipped where the server is not there."""
    require_server(server.url, f"{urlsplit(server.url).scheme} was not tested")
    topic = f"test_{uuid4().hex}"
    yield topic
    await server.forget(topic)


class Wire:
    """Carries bytes to a server, until it is cut."""

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
        """Whether it is silent: connections stay open, but nothing passes."""
        self.closes_above: int | None = None
        """After how many bytes in one direction a connection is closed."""

    @property
    def url(self) -> str:
        """The URL of the server at the other end."""
        return self._target._replace(
            netloc=self._target.netloc.replace(f":{self._target.port}", f":{self._port}")
        ).geturl()

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
