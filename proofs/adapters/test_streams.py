"""The stream on NATS is made once, also by processes that start at the same moment."""

from types import SimpleNamespace
from typing import Any

import nats.js.errors
import pytest

from app.adapters.broker_nats import NatsCarrier
from app.adapters.exchange_settings import ExchangeSettings
from tests.databases import part_settings


class Context:
    """JetStream while another process creates the stream: the server has its subjects first, and then its name.

    A real server is hardly ever caught at that moment.
    """

    def __init__(self, *, comes: bool) -> None:
        self.comes, self.is_asked = comes, False

    async def stream_info(self, name: str) -> None:
        """Tell nothing, unless the stream is there by now."""
        if not (self.is_asked and self.comes):
            raise nats.js.errors.NotFoundError

    async def add_stream(self, stream: object) -> None:
        """Refuse the subjects."""
        self.is_asked = True
        raise nats.js.errors.BadRequestError(description="subjects overlap with an existing stream")


def broker_of(context: Context) -> Any:
    """A broker whose connection has this context."""

    async def connect() -> SimpleNamespace:
        return SimpleNamespace(jetstream=lambda: context)

    return SimpleNamespace(connect=connect)


@pytest.fixture
def carrier() -> NatsCarrier:
    return NatsCarrier(part_settings(ExchangeSettings, broker_url="nats://127.0.0.1:4222"))


async def test_a_stream_that_another_process_creates_meanwhile_is_taken(carrier: NatsCarrier) -> None:
    await carrier.prepare(broker_of(Context(comes=True)))


async def test_a_stream_whose_subjects_are_those_of_another_is_refused(carrier: NatsCarrier) -> None:
    with pytest.raises(nats.js.errors.BadRequestError):
        await carrier.prepare(broker_of(Context(comes=False)))
