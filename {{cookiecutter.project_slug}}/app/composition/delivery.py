"""Assembles event delivery: from the log to the handlers, and to and from other services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.composition.relay import Relay
from app.composition.telemetry import Telemetry
from app.core.config import Settings
from app.core.cqrs import CQRSBus, CQRSError
from app.core.event_types import EventTypes
from app.core.parts import optional
from app.persistence.engine.database import Database
from app.persistence.events.listen_notify import Bell, listening
from app.persistence.events.orphans import without_class, without_handlers
from app.persistence.events.outbox import Outbox
from app.persistence.events.outbox_statements import BROKER, OWN, Handlers
from app.persistence.events.outbox_statistics import NEW
from app.persistence.events.reaction import Claimed, reason

REACTIONS_AT_ONCE = 4
"""How many events one handler may process concurrently in one process."""

ORPHANS_PATIENCE_SECONDS = 5.0
"""How long a start looks for events that nobody handles, to warn of them."""

EXCHANGE = "app.composition.exchange"
"""The part that exchanges events with other services."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EventDelivery:
    """Assembles the outbox, the relay and the exchange of a service."""

    settings: Settings
    database: Database
    types: EventTypes
    telemetry: Telemetry

    @asynccontextmanager
    async def running(self, bus: CQRSBus, *, worker: bool) -> AsyncIterator[None]:
        """Run the relay, and exchange events with other services if the service has that part.

        A web process with RELAY_IN_SERVICE=false does neither: it only notifies the workers.
        """
        if not worker and not self.settings.relay_in_service:
            bus.delivery = Bell(self.database)
            yield
            return
        part = optional(EXCHANGE)
        async with AsyncExitStack() as stack:
            exchange = None
            if part is not None:
                opened = part.open_exchange(self.settings, self.database, self.types)
                exchange = await stack.enter_async_context(opened)
            bus.delivery = relay = self._relay(bus, exchange)
            await self._warn_of_orphans(self._handlers(bus, exchange))
            if exchange is None:
                self._log_foreign_events_not_received(bus)
            await stack.enter_async_context(listening(self.database, relay.wake))
            await stack.enter_async_context(relay.running())
            if exchange is not None:
                await stack.enter_async_context(exchange.receiving(relay.wake))
            yield

    def _handlers(self, bus: CQRSBus, exchange: Any) -> Handlers:
        return {
            (source or OWN, name): (
                *bus.reactions.names_of(event_class),
                *((exchange.name,) if exchange is not None and event_class.public else ()),
            )
            for (source, name), event_class in self.types.classes.items()
        }

    def _outbox(self, bus: CQRSBus, exchange: Any) -> Outbox:
        return Outbox(
            self.database,
            lambda: self._handlers(bus, exchange),
            public=[event_class.event_type for event_class in self.types.classes.values() if event_class.public],
            max_attempts=self.settings.event_max_attempts,
            retry_seconds=self.settings.event_retry_seconds,
            reports=self.telemetry.reports,
        )

    def _relay(self, bus: CQRSBus, exchange: Any) -> Relay:
        def is_sent(handler: str) -> bool:
            return exchange is not None and handler == exchange.name

        async def deliver(claimed: Claimed) -> None:
            if is_sent(claimed.handler):
                await exchange.publish(claimed)
            else:
                await bus.reactions.run(claimed.event.record(self.types, claimed.source or None), claimed.handler)

        def places(handler: str) -> int:
            return exchange.places if is_sent(handler) else REACTIONS_AT_ONCE

        return Relay(
            self._outbox(bus, exchange),
            deliver,
            places=places,
            poll_seconds=self.settings.relay_poll_seconds,
            pausing=() if exchange is None else exchange.outages,
        )

    async def _warn_of_orphans(self, handlers: Handlers) -> None:
        try:
            async with asyncio.timeout(ORPHANS_PATIENCE_SECONDS):
                missing = await without_handlers(self.database, handlers)
                unknown = await without_class(self.database, handlers.keys())
        except (CQRSError, SQLAlchemyError, TimeoutError) as error:
            logger.warning("orphans_not_counted", reason=reason(error))  # no reason not to start
        else:
            _warn_of(missing, unknown, is_sent=any(BROKER in names for names in handlers.values()))

    def _log_foreign_events_not_received(self, bus: CQRSBus) -> None:
        services = {
            event_class.event_source for event_class in self.types.foreign if bus.reactions.names_of(event_class)
        }
        if services:
            logger.info(
                "foreign_events_not_received",
                services=sorted(map(str, services)),
                what_to_do="Set BROKER_URL to the broker of these services: without one their events do not arrive.",
            )


def _warn_of(missing: dict[str, dict[str, int]], unknown: dict[str, int], *, is_sent: bool) -> None:
    unsent = missing.pop(BROKER, None)
    if missing:
        logger.warning(
            "events_orphaned",
            handlers=missing,
            what_to_do="Restore the handlers, with @event_handler(..., name=...) if they were renamed, and what "
            "they react to; or discard the events: by their ids, or app outbox purge --handler NAME if it is gone.",
        )
    if unsent and not is_sent:
        logger.warning(
            "events_not_sent",
            event_types=unsent,
            what_to_do="Set BROKER_URL, and let their classes be public, to send them; or discard them: "
            f'app outbox purge --handler "{BROKER}".',
        )
    if unknown:
        logger.warning(
            "events_unknown",
            event_types=unknown,
            what_to_do="Restore the classes, with event_type = ... if they were renamed, or let a newer release "
            f'deliver the events, or discard them: app outbox purge --handler "{NEW}".',
        )
