"""Consumers of processes that have ended leave the group of Redis, unless they hold messages."""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from app.adapters import broker_redis
from app.adapters.brokers import open_broker
from app.adapters.exchange_settings import ExchangeSettings
from app.core.broker import EventMessage
from tests.broker_redis import GROUP, SERVER
from tests.brokers import own_topic
from tests.databases import part_settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def topic() -> AsyncIterator[str]:
    async with own_topic(SERVER) as topic:
        yield topic


@pytest.mark.parametrize(("seconds", "left"), [(0, {b"holds one"}), (3600, {b"holds one", b"has ended"})])
async def test_an_abandoned_consumer_that_holds_no_message_is_deleted(
    topic: str, seconds: int, left: set[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_redis, "ABANDONED_SECONDS", seconds)
    async with redis.asyncio.from_url(SERVER.url) as client:
        await client.xgroup_create(topic, GROUP, id="0", mkstream=True)
        await client.xadd(topic, {"event": b"{}"})
        await client.xreadgroup(GROUP, "holds one", {topic: ">"})
        await client.xgroup_createconsumer(topic, GROUP, "has ended")
        async with open_broker(part_settings(ExchangeSettings, broker_url=SERVER.url, broker_topic=topic)) as broker:
            assert broker is not None
            await broker.publish(EventMessage("1", "a key", "UserCreated", b"{}"))
        assert {consumer["name"] for consumer in await client.xinfo_consumers(topic, GROUP)} == left
        assert (await client.xpending(topic, GROUP))["pending"] == 1
