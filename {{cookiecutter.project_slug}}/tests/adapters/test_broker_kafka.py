"""Kafka, in memory: FastStream's stand-in hands a message over while it is published."""

import pytest
from faststream.kafka import TestKafkaBroker
from faststream.security import SASLPlaintext

from app.adapters.broker_kafka import KafkaCarrier
from app.adapters.consumption import Consumption
from app.adapters.exchange_settings import ExchangeSettings
from app.core.broker import EventMessage
from tests.databases import part_settings


def carrier(url: str = "kafka://one:9092") -> KafkaCarrier:
    return KafkaCarrier(part_settings(ExchangeSettings, broker_url=url))


async def test_an_event_arrives_as_it_was() -> None:
    received: list[EventMessage] = []

    async def receive(event: EventMessage) -> None:
        received.append(event)
        if len(received) == 1:
            raise ValueError("not now")

    kafka = carrier()
    broker = kafka.make(consuming=True)
    consumption = Consumption(receive, kafka.give_back)
    kafka.subscribe(broker, consumption.take)
    sent = EventMessage("1", "Zoë", "UserCreated", b'{"a": 1}', "00-1-2-01")
    async with TestKafkaBroker(broker):
        await kafka.send(broker, sent)
    assert received == [sent, sent]
    assert not consumption.held


async def test_whoever_sends_is_heard_with_or_without_headers() -> None:
    received: list[EventMessage] = []

    async def receive(event: EventMessage) -> None:
        received.append(event)

    kafka = carrier()
    broker = kafka.make(consuming=True)
    kafka.subscribe(broker, Consumption(receive, kafka.give_back).take)
    sent = EventMessage("1", "a key", "UserCreated", b"{}")
    async with TestKafkaBroker(broker):
        await broker.publish(b"\xff", kafka.topic)
        await kafka.send(broker, sent)
    assert [received[0].body, received[1]] == [b"\xff", sent]


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("kafka://one", ["one:9092"]),
        ("kafka://one:1,two", ["one:1", "two:9092"]),
        ("kafkas://one", ["one:9092"]),
        ("kafkas://user:pass%40word@one:1,two:2", ["one:1", "two:2"]),
        ("kafka://user:pass%40word@one", ["one:9092"]),
    ],
)
def test_the_url_names_the_servers(url: str, servers: list[str]) -> None:
    broker = carrier(url).make(consuming=False)
    assert broker.specification.url == servers
    security = broker.specification.security
    assert (security is not None and security.use_ssl) is url.startswith("kafkas")
    if "@" in url:
        assert isinstance(security, SASLPlaintext)
        assert (security.username, security.password) == ("user", "pass@word")
