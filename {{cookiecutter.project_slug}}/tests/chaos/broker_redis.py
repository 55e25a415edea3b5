"""Redis Streams for chaos."""

from typing import Any

from redis.asyncio import Redis as RedisClient

from tests.chaos.deliveries import Arrival
from tests.chaos.redis_server import Redis
from tests.chaos.witnesses import TOPIC, BrokerServer


class RedisStreams(Redis, BrokerServer):
    """Redis as a broker."""

    async def arrived(self) -> list[Arrival]:
        """The entries of the stream."""
        async with RedisClient.from_url(self.url) as client:
            messages: Any = await client.xrange(TOPIC)
        return [Arrival.read(fields[b"event"]) for _, fields in messages]


KIND = RedisStreams
