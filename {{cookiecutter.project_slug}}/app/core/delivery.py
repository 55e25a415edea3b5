"""How events get from the log to those who react to them: in this process, or by way of a broker and workers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Table

from app.adapters.brokers import open_broker
from app.adapters.telemetry import Telemetry
from app.core.broker import Broker, EventMessage
from app.core.config import Settings
from app.core.consumer import Consumer
from app.core.cqrs import CQRSBus
from app.core.cqrs.event_types import EventTypes
from app.core.relay import Relay
from app.persistence.database import Database
from app.persistence.event_log import is_in_log
from app.persistence.outbox import Outbox
from app.persistence.stored_event import StoredEvent
from app.persistence.tables import event_log, parked_events
from app.persistence.wakeup import Bell, listening

REACTIONS_AT_ONCE = 4
MESSAGES_AT_ONCE = 100

Deliver = Callable[[StoredEvent], Awaitable[None]]


@dataclass(frozen=True)
class EventDelivery:
    """Puts together who delivers the events of a service."""

    settings: Settings
    database: Database
    types: EventTypes
    telemetry: Telemetry

    @asynccontextmanager
    async def in_service(self, bus: CQRSBus) -> AsyncIterator[None]:
        """Beside HTTP: a relay, unless workers have it."""
        if self.settings.relay_in_service:
            async with open_broker(self.settings) as broker, self._relaying(bus, broker):
                yield
        else:
            bus.delivery = Bell(self.database)
            yield

    @asynccontextmanager
    async def in_worker(self, bus: CQRSBus) -> AsyncIterator[None]:
        """In a worker: a relay, and with a broker also those who receive from it."""
        async with open_broker(self.settings) as broker, self._relaying(bus, broker):
            if broker is None:
                yield
                return
            parked = self._outbox(parked_events)
            relay = self._relay(parked, self._react(bus), REACTIONS_AT_ONCE)
            consumer = Consumer(parked, self._react(bus), self._concerns, relay.wake)
            async with listening(self.database, relay.wake), relay.running(), broker.consuming(consumer.receive):
                yield

    @asynccontextmanager
    async def _relaying(self, bus: CQRSBus, broker: Broker | None) -> AsyncIterator[None]:
        """Deliver what is in the log: to the broker, or where there is none, to the reactions of this process."""
        outbox = self._outbox(event_log)
        if broker is None:
            relay = self._relay(outbox, self._react(bus), REACTIONS_AT_ONCE)
        else:
            relay = self._relay(outbox, _publish_to(broker), MESSAGES_AT_ONCE)
        bus.delivery = relay
        async with listening(self.database, relay.wake), relay.running():
            yield

    def _outbox(self, table: Table) -> Outbox:
        attempts, seconds = self.settings.event_max_attempts, self.settings.event_retry_seconds
        return Outbox(self.database, table, attempts, seconds, self.telemetry.reports)

    def _relay(self, outbox: Outbox, deliver: Deliver, at_once: int) -> Relay:
        return Relay(outbox, deliver, at_once=at_once, poll_seconds=self.settings.relay_poll_seconds)

    def _react(self, bus: CQRSBus) -> Deliver:
        async def react(event: StoredEvent) -> None:
            await bus.react(event.record(self.types))

        return react

    async def _concerns(self, event: StoredEvent) -> bool:
        """An event whose class nobody knows is our business only if we wrote it."""
        return self.types.knows(event.event_type) or await is_in_log(self.database, event.id)


def _publish_to(broker: Broker) -> Deliver:
    async def publish(event: StoredEvent) -> None:
        traceparent = event.metadata.get("traceparent")
        await broker.publish(EventMessage(str(event.id), event.key, event.event_type, event.to_json(), traceparent))

    return publish
