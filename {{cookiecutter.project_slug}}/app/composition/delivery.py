"""Assembles event delivery: from the log to handlers and other services, and from other services to handlers here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from app.adapters.brokers import open_broker
from app.adapters.telemetry import Telemetry
from app.composition.cloud_events import encode
from app.composition.consumer import Consumer
from app.composition.relay import Relay
from app.core.broker import Broker, EventMessage
from app.core.config import Settings
from app.core.cqrs import CQRSBus
from app.core.event_types import EventTypes
from app.persistence.engine.database import Database
from app.persistence.events.listen_notify import Bell, listening
from app.persistence.events.outbox import Outbox
from app.persistence.events.outbox_statements import OWN
from app.persistence.events.reaction import Claimed

REACTIONS_AT_ONCE = 4
"""How many events one handler may process concurrently in one process."""
MESSAGES_AT_ONCE = 100
PUBLICATION = "(broker)"
"""In place of a handler's name: the event is published to other services."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EventDelivery:
    """Assembles outbox, relay, broker and consumer of a service."""

    settings: Settings
    database: Database
    types: EventTypes
    telemetry: Telemetry

    @asynccontextmanager
    async def in_service(self, bus: CQRSBus) -> AsyncIterator[None]:
        """Deliver events in the HTTP process as a worker does; without RELAY_IN_SERVICE only notify the workers."""
        if self.settings.relay_in_service:
            async with self.in_worker(bus):
                yield
        else:
            bus.delivery = Bell(self.database)
            yield

    @asynccontextmanager
    async def in_worker(self, bus: CQRSBus) -> AsyncIterator[None]:
        """Deliver events to their handlers; with a broker, also publish events and consume those of other services."""
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(open_broker(self.settings))
            outbox = self._outbox(bus, broker)
            relay = self._relay(bus, broker, outbox)
            bus.delivery = relay
            await self._warn_of_missing_handlers(outbox)
            if broker is None:
                self._tell_of_missing_broker(bus)
            await stack.enter_async_context(listening(self.database, relay.wake))
            await stack.enter_async_context(relay.running())
            if broker is not None:
                consumer = Consumer(self.database, self.types, relay.wake)
                await stack.enter_async_context(broker.consuming(consumer.receive))
            yield

    def _outbox(self, bus: CQRSBus, broker: Broker | None) -> Outbox:
        classes = self.types.classes
        told = {event_class for event_class in classes.values() if event_class.public and broker is not None}

        def handlers() -> dict[tuple[str, str], tuple[str, ...]]:
            return {
                (source or OWN, name): (
                    *bus.reactions_to(event_class),
                    *((PUBLICATION,) if event_class in told else ()),
                )
                for (source, name), event_class in classes.items()
            }

        return Outbox(
            self.database,
            handlers,
            public=[event_class.event_type for event_class in classes.values() if event_class.public],
            max_attempts=self.settings.event_max_attempts,
            retry_seconds=self.settings.event_retry_seconds,
            reports=self.telemetry.reports,
        )

    def _relay(self, bus: CQRSBus, broker: Broker | None, outbox: Outbox) -> Relay:
        async def deliver(claimed: Claimed) -> None:
            if claimed.handler != PUBLICATION:
                await bus.react(claimed.event.record(self.types, claimed.source or None), claimed.handler)
            elif broker is not None:
                await broker.publish(self._message(claimed))

        def places(handler: str) -> int:
            return MESSAGES_AT_ONCE if handler == PUBLICATION else REACTIONS_AT_ONCE

        return Relay(outbox, deliver, places=places, poll_seconds=self.settings.relay_poll_seconds)

    def _message(self, claimed: Claimed) -> EventMessage:
        event = claimed.event
        body = encode(event, self.settings.service_name, claimed.previous)
        return EventMessage(str(event.id), event.key, event.event_type, body, event.metadata.get("traceparent"))

    async def _warn_of_missing_handlers(self, outbox: Outbox) -> None:
        missing = await outbox.without_handlers()
        if missing:
            logger.warning(
                "events_wait_for_handlers_that_are_gone",
                handlers=missing,
                what_to_do="Restore the handlers, with @event_handler(..., name=...) if they were renamed, or discard "
                "the events: app outbox purge --handler NAME.",
            )

    def _tell_of_missing_broker(self, bus: CQRSBus) -> None:
        unheard = {one.event_source for one in self.types.foreign if bus.reactions_to(one)}
        if unheard:
            logger.info(
                "events_of_others_are_not_heard",
                services=sorted(map(str, unheard)),
                what_to_do="Set BROKER_URL to the broker of these services: without one their events do not arrive.",
            )
