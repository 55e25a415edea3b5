"""Exchanges events with other services: sends public ones to the broker, and receives those of others from it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from app.adapters.brokers import open_broker
from app.adapters.exchange_settings import ExchangeSettings
from app.composition.cloud_events import encode
from app.composition.consumer import Consumer
from app.core.broker import Broker, BrokerDownError, EventMessage
from app.core.event_types import EventTypes
from app.persistence.engine.database import Database
from app.persistence.events.outbox_statements import BROKER
from app.persistence.events.reaction import Claimed


class Exchange:
    """What delivery needs of a broker."""

    name = BROKER
    places = 100
    """How many events are sent concurrently."""
    outages = (BrokerDownError,)

    def __init__(self, settings: ExchangeSettings, database: Database, types: EventTypes, broker: Broker) -> None:
        self._settings = settings
        self._database = database
        self._types = types
        self._broker = broker

    async def publish(self, claimed: Claimed) -> None:
        """Send a public event, and wait for the broker's confirmation.

        Raises:
            BrokerDownError: if the broker cannot be reached.
            MessageRefusedError: if the broker rejects this message.
        """
        event = claimed.event
        body = encode(event, self._settings.service_name, claimed.previous)
        traceparent = event.metadata.get("traceparent")
        await self._broker.publish(EventMessage(str(event.id), event.key, event.event_type, body, traceparent))

    def receiving(self, on_stored: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Store events of other services while the context is open; `on_stored` is called after each."""
        return self._broker.consuming(Consumer(self._database, self._types, on_stored).receive)


@asynccontextmanager
async def open_exchange(
    settings: ExchangeSettings, database: Database, types: EventTypes
) -> AsyncIterator[Exchange | None]:
    """The exchange through the broker of `BROKER_URL`; None without one.

    Raises:
        ConfigurationError: if no adapter supports the URL's scheme, or its driver is not installed.
    """
    async with open_broker(settings) as broker:
        yield None if broker is None else Exchange(settings, database, types, broker)
