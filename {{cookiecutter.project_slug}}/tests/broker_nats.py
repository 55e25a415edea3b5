"""A NATS JetStream for tests, seen with its own client."""

import os
from contextlib import suppress

import nats
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import NotFoundError

from app.core.broker import CONTENT_TYPE

GROUP = "app"


class Nats:
    """NATS JetStream."""

    drops_duplicates = True
    keeps_all = True

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

    async def too_large(self) -> int:
        """Just what it takes, without the headers that count as well."""
        async with await nats.connect(self.url) as client:
            return client.max_payload

    async def forget_group(self, topic: str) -> None:
        """The durable consumer."""
        async with await nats.connect(self.url) as client:
            await client.jetstream().delete_consumer(topic, GROUP)

    async def forget(self, topic: str) -> None:
        """The stream."""
        async with await nats.connect(self.url) as client:
            with suppress(NotFoundError):
                await client.jetstream().delete_stream(topic)


SERVER = Nats(os.environ.get("TEST_NATS_URL", "nats://127.0.0.1:4222"))
