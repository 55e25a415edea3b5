"""The consumer: stores the events of other services that this service has a class for, and the place of those between.

An event may come after one of a type that this service has no class for. It would wait for that, so the place of that
one in its aggregate is stored, without its data.
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
"""Skipped messages are warned of at most this often: others may send any number of them."""

logger = structlog.get_logger(__name__)


class Consumer:
    """Receives messages. A message is acknowledged once its event is stored; handlers process it later.

    So failing handlers do not block the broker's queue. A message is redelivered only if the database is unavailable.

    Args:
        database: stores the events.
        types: the event classes of this service.
        kept_one: called after an event was stored.
    """

    def __init__(self, database: Database, types: EventTypes, kept_one: Callable[[], None]) -> None:
        self._database = database
        self._types = types
        self._kept_one = kept_one
        self._skipped = 0
        self._warns_at = 0.0

    async def receive(self, message: EventMessage) -> None:
        """Store the event of a message, if this service has a class for it. Unreadable messages become dead letters."""
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
        self._kept_one()

    def _warn_of_skipped(self, message: EventMessage, error: NoEventError) -> None:
        self._skipped += 1
        if monotonic() < self._warns_at:
            logger.debug("message_skipped", message_id=message.id, reason=str(error))
            return
        logger.warning("message_skipped", message_id=message.id, reason=str(error), skipped=self._skipped)
        self._skipped, self._warns_at = 0, monotonic() + WARNING_SECONDS

    async def _keep_unreadable(self, message: EventMessage, error: UnreadableMessageError) -> None:
        text = message.body.decode(errors="replace").replace("\x00", "\ufffd")
        event_id = uuid5(NAMESPACE_OID, f"{message.id}:{text}")
        logger.error("message_unreadable", message_id=message.id, event_id=str(event_id), exc_info=error)
        await received_events.keep_unreadable(self._database, event_id, text, error, error.details.get("source", ""))
