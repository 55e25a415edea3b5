"""A worker that is well says nothing of errors: when it starts where nothing is yet, while it idles, when it ends."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import structlog
from nats.js import JetStreamContext

from app.adapters.brokers import open_broker
from app.adapters.exchange_settings import ExchangeSettings
from app.core.broker import EventMessage
from tests.adapters.test_brokers import wait_for_answers
from tests.brokers import SERVERS, Server
from tests.core.cqrs.support import PATIENCE, within_patience
from tests.databases import part_settings
from tests.surroundings import require_server

pytestmark = pytest.mark.integration
WORRYING = ("warning", "error", "critical")


@pytest.fixture
def topic() -> str:
    return f"test_{uuid4().hex}"


@pytest.fixture
async def server(request: pytest.FixtureRequest, topic: str) -> AsyncIterator[Server]:
    found = SERVERS[request.param]
    require_server(found.url, "this broker was not tested")
    yield found
    await found.forget(topic)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is well is waited for, also on a busy machine."""
    wait_for_answers(PATIENCE, monkeypatch)


class Inbox:
    """Remembers what it receives."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[EventMessage] = asyncio.Queue()

    async def __call__(self, received: EventMessage) -> None:
        self.received.put_nowait(received)


async def through(server: Server, topic: str, idle: asyncio.Event) -> None:
    """Consume where nothing is yet, idle, receive a message, and end."""
    inbox = Inbox()
    settings = part_settings(ExchangeSettings, broker_url=server.url, broker_topic=topic)
    async with open_broker(settings) as broker:
        assert broker is not None
        async with broker.consuming(inbox):
            await within_patience(idle.wait())
            await broker.publish(EventMessage("1", "a key", "UserCreated", b"{}"))
            assert (await within_patience(inbox.received.get())).id == "1"


@pytest.mark.parametrize("server", ["amqp", "nats"], indirect=True)
async def test_no_line_of_an_idle_worker_is_an_error(
    server: Server, topic: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.adapters.broker_nats.FETCH_SECONDS", 0.1)
    idle = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, idle.set)
    with caplog.at_level(logging.WARNING), structlog.testing.capture_logs() as lines:
        await through(server, topic, idle)
    assert [(each.getMessage(), each.exc_info) for each in caplog.records if each.levelno >= logging.WARNING] == []
    assert [line for line in lines if line["log_level"] in WORRYING] == []


@pytest.mark.parametrize("server", ["nats"], indirect=True)
async def test_an_answer_in_the_last_moment_is_no_error(
    server: Server, topic: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle, fetch, fetching = asyncio.Event(), JetStreamContext.PullSubscription.fetch, set[Any]()
    left = 3

    async def late(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal left
        fetching.add(asyncio.current_task())
        if left:
            left -= 1
            raise TimeoutError  # as the client does when nothing of the time is left for a second request
        idle.set()
        return await fetch(self, *args, **kwargs)

    monkeypatch.setattr(JetStreamContext.PullSubscription, "fetch", late)
    with caplog.at_level(logging.WARNING):
        await through(server, topic, idle)
    assert [(each.getMessage(), each.exc_info) for each in caplog.records if each.levelno >= logging.WARNING] == []
    assert len(fetching) == 1
