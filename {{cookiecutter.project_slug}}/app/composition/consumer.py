"""The consumer: keeps the events of other services that this one has a class for."""

from collections.abc import Callable
from uuid import NAMESPACE_OID, uuid5

import structlog

from app.composition.cloud_events import NoEventError, decode
from app.core.broker import EventMessage
from app.core.cqrs.event_types import EventTypes, UnreadableMessageError
from app.persistence.engine.database import Database
from app.persistence.events import received_events

logger = structlog.get_logger(__name__)


class Consumer:
    """Receives messages. When it is done with one, the event is in the database, and waits there for its handlers.

    So the broker's queue flows on, whatever handlers do; only while the database is away does a message come again.

    Args:
        database: where events are kept.
        types: the events that this service knows.
        kept_one: told when an event was kept.
    """

    def __init__(self, database: Database, types: EventTypes, kept_one: Callable[[], None]) -> None:
        self._database = database
        self._types = types
        self._kept_one = kept_one

    async def receive(self, message: EventMessage) -> None:
        """Keep the event in a message, if it is one for this service."""
        try:
            received = decode(message.body, self._types)
        except NoEventError as error:
            logger.warning("message_without_event", message_id=message.id, reason=str(error))
            return
        except UnreadableMessageError as error:
            await self._keep_unreadable(message, error)
            return
        if received is None:
            logger.debug("event_of_others", event_type=message.event_type)
            return
        await received_events.keep(self._database, received.event, received.source, received.previous)
        self._kept_one()

    async def _keep_unreadable(self, message: EventMessage, error: UnreadableMessageError) -> None:
        text = message.body.decode(errors="replace").replace("\x00", "\ufffd")
        event_id = uuid5(NAMESPACE_OID, f"{message.id}:{text}")
        logger.error("message_unreadable", message_id=message.id, event_id=str(event_id), exc_info=error)
        await received_events.keep_unreadable(self._database, event_id, text, error)
