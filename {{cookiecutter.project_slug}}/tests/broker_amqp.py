"""A RabbitMQ for tests, seen with its own client."""

import os

import aio_pika

from app.core.broker import CONTENT_TYPE

GROUP = "app"


class RabbitMQ:
    """RabbitMQ."""

    drops_duplicates = False
    keeps_all = False

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

    async def too_large(self) -> int:
        """More than 128 MiB, the most that any of its versions takes by itself."""
        return 129 * 1024 * 1024

    async def forget_group(self, topic: str) -> None:
        """The queue."""
        async with await aio_pika.connect(self.url) as connection:
            await (await connection.channel()).queue_delete(f"{topic}.{GROUP}")

    async def forget(self, topic: str) -> None:
        """The queues and the exchange."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            for queue in (f"{topic}.{GROUP}", f"{topic}.full"):
                await channel.queue_delete(queue)
            await channel.exchange_delete(topic)


SERVER = RabbitMQ(os.environ.get("TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/"))
