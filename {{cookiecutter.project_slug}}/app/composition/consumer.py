"""The consumer: stores events of other services, for the handlers of this service.

An event waits for its predecessor in its aggregate. If this service has no class for that one, a placeholder without
data is stored in its place, so that nothing waits for it.
"""

from collections.abc import Callable
from time import monotonic
from uuid import NAMESPACE_OID, uuid5

import structlog

from app.composition.cloud_events import NoEventError, decode
from app.core.broker import EventMessage
from app.core.event_types import EventTypes, UnreadableMessageError
from app.persistence.engine.database import Database
from app.persistence.events import received_events
from app.persistence.events.outbox_statements import SKIPPED

WARNING_SECONDS = 60.0
"""Skipped messages are logged in one warning for so long: others may send any number of them."""

logger = structlog.get_logger(__name__)


class Consumer:
    """Receives messages. A message is acknowledged once its event is stored; handlers process it later.

    So failing handlers do not block the broker's queue: a message is redelivered only if its event was not stored.

    Args:
        database: stores the events.
        types: the event classes that this service has.
        on_stored: called after an event was stored, or turned out to be stored already.
    """

    def __init__(self, database: Database, types: EventTypes, on_stored: Callable[[], None]) -> None:
        self._database = database
        self._types = types
        self._on_stored = on_stored
        self._skipped = 0
        self._warns_at = 0.0

    async def receive(self, message: EventMessage) -> None:
        """Store the event of a message, or its placeholder. An unreadable event becomes a dead letter."""
        try:
            received = decode(message.body, self._types)
        except NoEventError as error:
            self._warn_of_skipped(message, error)
            return
        except UnreadableMessageError as error:
            await self._keep_unreadable(message, error)
            return
        if received is None or received.event.event_type == SKIPPED:
            logger.debug("event_skipped", event_type=message.event_type)
        if received is None:
            return
        await received_events.keep(self._database, received.event, received.source, received.previous)
        self._on_stored()

    def _warn_of_skipped(self, message: EventMessage, error: NoEventError) -> None:
        self._skipped += 1
        if monotonic() < self._warns_at:
            logger.debug("message_skipped", message_id=message.id, reason=str(error))
            return
        logger.warning("message_skipped", message_id=message.id, reason=str(error), skipped=self._skipped)
        self._skipped, self._warns_at = 0, monotonic() + WARNING_SECONDS

    async def _keep_unreadable(self, message: EventMessage, error: UnreadableMessageError) -> None:
        text = message.body.decode(errors="replace").replace("\x00", "\ufffd")  # PostgreSQL stores no NUL
        event_id = uuid5(NAMESPACE_OID, f"{message.id}:{text}")  # the same when it is redelivered
        logger.error("message_unreadable", message_id=message.id, event_id=str(event_id), exc_info=error)
        await received_events.keep_unreadable(self._database, event_id, text, error, error.details.get("source", ""))
