"""RabbitMQ never drops a message that is not acknowledged, however often it was redelivered."""

from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from structlog.testing import capture_logs

from app.adapters.brokers import open_broker
from app.adapters.exchange_settings import ExchangeSettings
from app.core.broker import BrokerDownError, EventMessage
from tests.broker_amqp import GROUP, SERVER
from tests.brokers import own_topic
from tests.databases import part_settings

pytestmark = pytest.mark.integration
QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}


@pytest.fixture
async def topic() -> AsyncIterator[str]:
    async with own_topic(SERVER) as topic:
        yield topic


@pytest.fixture
async def channel(topic: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(SERVER.url) as connection:
        yield await connection.channel()


async def publish(topic: str) -> list[Any]:
    """Publish, and return what is logged."""
    with capture_logs() as logs:
        async with open_broker(part_settings(ExchangeSettings, broker_url=SERVER.url, broker_topic=topic)) as broker:
            assert broker is not None
            await broker.publish(EventMessage("1", "a key", "UserCreated", b"{}"))
    return logs


async def test_a_new_queue_redelivers_more_often_than_any_limit_of_the_server(
    topic: str, channel: AbstractChannel
) -> None:
    assert await publish(topic) == []
    arguments = QUORUM | {"x-delivery-limit": 2**31 - 1}
    queue = await channel.declare_queue(f"{topic}.{GROUP}", durable=True, arguments=arguments)
    async with queue.iterator(timeout=5) as messages:
        for _ in range(25):
            await (await anext(messages)).nack()


async def test_a_queue_of_an_older_release_is_used_and_its_limit_told(topic: str, channel: AbstractChannel) -> None:
    await channel.declare_queue(f"{topic}.{GROUP}", durable=True, arguments=QUORUM)
    (told,) = await publish(topic)
    assert (told["event"], told["queue"]) == ("delivery_limit_unknown", f"{topic}.{GROUP}")
    assert f"rabbitmqctl set_policy {topic}.{GROUP} '^{topic}.{GROUP}$'" in told["what_to_do"]
    assert await SERVER.stored(topic) == 1


async def test_a_queue_of_another_type_is_refused(topic: str, channel: AbstractChannel) -> None:
    await channel.declare_queue(f"{topic}.{GROUP}", durable=True)
    with pytest.raises(BrokerDownError):
        await publish(topic)
