"""What lies at a broker, read by somebody who has nothing to do with the service."""

import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import nats
from aio_pika.exceptions import AMQPError
from nats.aio.msg import Msg
from redis.asyncio import Redis as RedisClient

from tests.chaos.brokers import Nats, RabbitMq, Redis
from tests.chaos.oracle import require, until
from tests.chaos.servers import Server
from tests.chaos.stage import Stage

TOPIC = "events"
EVERYTHING = "everything"
READ_SECONDS = 10.0
KNOWN_SECONDS = 30.0


@dataclass(frozen=True)
class Arrival:
    """A CloudEvent, as somebody in another language would read it."""

    id: UUID
    source: str
    subject: str
    version: int

    @classmethod
    def read(cls, body: bytes) -> "Arrival":
        """What is in a message."""
        said = json.loads(body)
        return cls(UUID(said["id"]), said["source"], said["subject"], int(said["sequence"]))


@asynccontextmanager
async def broker(stage: Stage, kind: type[Server]) -> AsyncIterator[Server]:
    """A broker of this kind, where nobody has been yet.

    Raises:
        MissingError: it is not installed.
    """
    server = kind(Path(tempfile.mkdtemp(dir=stage.folder)))
    try:
        await server.start()
        if isinstance(server, RabbitMq):
            await _keep_everything(server)
        yield server
    finally:
        await server.remove()


async def is_known(server: Server, group: str) -> None:
    """Wait until a group gets what is published: RabbitMQ keeps messages only for those that it knows of."""
    if not isinstance(server, RabbitMq):
        return

    async def consumes() -> bool:  # and not only has a queue: that is declared before it is bound
        try:
            async with await aio_pika.connect(server.url) as connection:
                queue = await (await connection.channel()).get_queue(f"{TOPIC}.{group}")
        except AMQPError:
            return False
        return bool(queue.declaration_result.consumer_count)

    await until(consumes, f"{group} is to consume", KNOWN_SECONDS)


async def arrived(server: Server) -> list[Arrival]:
    """Every message from the first to the last."""
    return await READERS[type(server)](server)


async def stored_at(server: Server) -> list[datetime]:
    """When JetStream stored each message, by its clock, from the first to the last."""
    return [message.metadata.timestamp for message in await _messages_in_jetstream(server)]


async def _messages_in_jetstream(server: Server) -> list[Msg]:
    client = await nats.connect(server.url)
    try:
        stream = client.jetstream()
        state = (await stream.stream_info(TOPIC)).state
        reader = await stream.subscribe(f"{TOPIC}.>", ordered_consumer=True)
        return [await reader.next_msg(READ_SECONDS) for _ in range(state.messages)]
    finally:
        await client.close()


async def _in_jetstream(server: Server) -> list[Arrival]:
    """Each under the id that JetStream knows duplicates by."""
    messages = await _messages_in_jetstream(server)
    events = [Arrival.read(message.data) for message in messages]
    told = [(message.headers or {}).get("Nats-Msg-Id") for message in messages]
    require(told == [str(event.id) for event in events], "Messages have another Nats-Msg-Id than their events.")
    return events


async def _keep_everything(server: Server) -> None:
    """RabbitMQ forgets what was consumed, so a second queue gets everything too."""
    async with await aio_pika.connect(server.url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(TOPIC, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(EVERYTHING, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(exchange, "#")


async def _in_rabbitmq(server: Server) -> list[Arrival]:
    async with await aio_pika.connect(server.url) as connection:
        queue = await (await connection.channel()).get_queue(EVERYTHING)
        messages = queue.declaration_result.message_count or 0
        async with queue.iterator(no_ack=True, timeout=READ_SECONDS) as reader:
            return [Arrival.read((await anext(reader)).body) for _ in range(messages)]


async def _in_redis(server: Server) -> list[Arrival]:
    async with RedisClient.from_url(server.url) as client:
        messages: Any = await client.xrange(TOPIC)
    return [Arrival.read(fields[b"event"]) for _, fields in messages]


READERS: dict[type[Server], Callable[[Server], Awaitable[list[Arrival]]]] = {
    Nats: _in_jetstream,
    RabbitMq: _in_rabbitmq,
    Redis: _in_redis,
}
