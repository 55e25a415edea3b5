"""Real brokers for tests: what is on them, seen with their own clients, and a wire to them that can be cut."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

import aio_pika
import nats
import redis.asyncio
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import NotFoundError

from app.core.broker import CONTENT_TYPE

GROUP = "app"


class Server(Protocol):
    """A broker that is running. What a test made there is under its topic."""

    url: str

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

    async def forget(self, topic: str) -> None:
        """Remove everything."""


class LimitedServer(Server, Protocol):
    """A server that can have a limit for one topic alone."""

    async def refuse_large(self, topic: str) -> None:
        """From now on take no message of 1,000 bytes or more."""


class Nats:
    """NATS JetStream."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def stored(self, topic: str) -> int:
        """Messages of the stream, if it is in a file."""
        async with await nats.connect(self.url) as client:
            info = await client.jetstream().stream_info(topic)
        assert info.config.storage == StorageType.FILE.value
        return info.state.messages

    async def unsettled(self, topic: str) -> int:
        """Delivered or not, but not acknowledged."""
        async with await nats.connect(self.url) as client:
            info = await client.jetstream().consumer_info(topic, GROUP)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def send(self, topic: str, body: bytes) -> None:
        """To a subject of its own."""
        async with await nats.connect(self.url) as client:
            await client.jetstream().publish(f"{topic}.whatever", body)

    async def read(self, topic: str) -> list[bytes]:
        """By a consumer of its own, from the beginning."""
        async with await nats.connect(self.url) as client:
            subscription = await client.jetstream().pull_subscribe(f"{topic}.>", stream=topic)
            messages = await subscription.fetch(await self.stored(topic), timeout=5)
            assert all((message.headers or {})["content-type"] == CONTENT_TYPE for message in messages)
            return [message.data for message in messages]

    async def refuse_large(self, topic: str) -> None:
        """By a limit of the stream, which is somebody's decision and must stay as it is."""
        async with await nats.connect(self.url) as client:
            await client.jetstream().add_stream(
                StreamConfig(name=topic, subjects=[f"{topic}.>"], max_msg_size=1000, max_msgs=50)
            )

    async def forget(self, topic: str) -> None:
        """The stream."""
        async with await nats.connect(self.url) as client:
            with suppress(NotFoundError):
                await client.jetstream().delete_stream(topic)


class RabbitMQ:
    """RabbitMQ."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def stored(self, topic: str) -> int:
        """Messages of the queue, if they are persistent."""
        async with await aio_pika.connect(self.url) as connection:
            queue = await (await connection.channel()).declare_queue(f"{topic}.{GROUP}", passive=True)
            first = await queue.get(fail=False)
            if first is not None:
                assert first.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
                await first.nack(requeue=True)
            return queue.declaration_result.message_count or 0

    async def unsettled(self, topic: str) -> int:
        """What waits in the queue; what a consumer holds comes back to it when that is gone."""
        async with await aio_pika.connect(self.url) as connection:
            queue = await (await connection.channel()).declare_queue(f"{topic}.{GROUP}", passive=True)
            return queue.declaration_result.message_count or 0

    async def send(self, topic: str, body: bytes) -> None:
        """To the exchange."""
        async with await aio_pika.connect(self.url) as connection:
            exchange = await (await connection.channel()).get_exchange(topic)
            await exchange.publish(aio_pika.Message(body), "whatever")

    async def read(self, topic: str) -> list[bytes]:
        """What waits in the queue of the group, which keeps it."""
        found = []
        async with await aio_pika.connect(self.url) as connection:
            queue = await (await connection.channel()).declare_queue(f"{topic}.{GROUP}", passive=True)
            while (message := await queue.get(fail=False)) is not None:
                assert message.content_type == CONTENT_TYPE
                found.append(message.body)
        return found

    async def refuse_large(self, topic: str) -> None:
        """By one more queue, which is full when it has that much."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange(topic, aio_pika.ExchangeType.TOPIC, durable=True)
            full = await channel.declare_queue(
                f"{topic}.full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
            )
            await full.bind(exchange, "Large")
            await exchange.publish(aio_pika.Message(b""), "Large")

    async def forget(self, topic: str) -> None:
        """The queues and the exchange."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            for queue in (f"{topic}.{GROUP}", f"{topic}.full"):
                await channel.queue_delete(queue)
            await channel.exchange_delete(topic)


class Redis:
    """Redis Streams."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def stored(self, topic: str) -> int:
        """Entries of the stream."""
        async with redis.asyncio.from_url(self.url) as client:
            return int(await client.xlen(topic))

    async def unsettled(self, topic: str) -> int:
        """Delivered or not, but not acknowledged."""
        async with redis.asyncio.from_url(self.url) as client:
            (group,) = await client.xinfo_groups(topic)
        return int(group["pending"]) + int(group["lag"] or 0)

    async def send(self, topic: str, body: bytes) -> None:
        """An entry with one field."""
        async with redis.asyncio.from_url(self.url) as client:
            await client.xadd(topic, {"event": body})

    async def read(self, topic: str) -> list[bytes]:
        """The entries of the stream."""
        async with redis.asyncio.from_url(self.url) as client:
            answer: Any = await client.xrange(topic)
        entries = [fields for _, fields in answer]
        assert all(fields[b"content-type"].decode() == CONTENT_TYPE for fields in entries)
        return [fields[b"event"] for fields in entries]

    async def forget(self, topic: str) -> None:
        """The stream, with its group."""
        async with redis.asyncio.from_url(self.url) as client:
            await client.delete(topic)


SERVERS: dict[str, Server] = {
    "nats": Nats(os.environ.get("TEST_NATS_URL", "nats://127.0.0.1:4222")),
    "amqp": RabbitMQ(os.environ.get("TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")),
    "redis": Redis(os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")),
}
"""Servers on which the tests may make and remove what they need; nothing else of them is touched."""


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
            while data := await reader.read(65_536):
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
