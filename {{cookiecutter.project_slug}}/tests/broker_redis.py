"""A Redis with streams for tests, seen with its own client."""

import os
from typing import Any

import redis.asyncio

from app.core.broker import CONTENT_TYPE

GROUP = "app"


class Redis:
    """Redis Streams."""

    drops_duplicates = False
    keeps_all = True
    closes_above = 1024 * 1024
    """The lowest limit that it can have."""

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

    async def forget_group(self, topic: str) -> None:
        """The consumer group."""
        async with redis.asyncio.from_url(self.url) as client:
            await client.xgroup_destroy(topic, GROUP)

    async def forget(self, topic: str) -> None:
        """The stream, with its group."""
        async with redis.asyncio.from_url(self.url) as client:
            await client.delete(topic)


SERVER = Redis(os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379"))
