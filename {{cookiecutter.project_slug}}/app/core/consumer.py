"""The consumer: lets reactions run to events that come from the broker."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

import structlog

from app.core.broker import EventMessage
from app.core.cqrs.event_types import UnreadableMessageError
from app.persistence.outbox import Outbox
from app.persistence.stored_event import StoredEvent

logger = structlog.get_logger(__name__)


class Consumer:
    """Receives events. One that fails is parked in the database, and with it what comes after it of its aggregate.

    So a message is always done with, and the broker's queue flows on. Only while the database is away does it come
    again.

    Args:
        parked: where events wait that failed here.
        deliver: lets the reactions to an event run.
        concerns: whether an event is this service's business.
        parked_one: told when an event was parked.
    """

    def __init__(
        self,
        parked: Outbox,
        deliver: Callable[[StoredEvent], Awaitable[None]],
        concerns: Callable[[StoredEvent], Awaitable[bool]],
        parked_one: Callable[[], None],
    ) -> None:
        self._parked = parked
        self._deliver = deliver
        self._concerns = concerns
        self._parked_one = parked_one

    async def receive(self, message: EventMessage) -> None:
        """Let the reactions to an event run, or park it."""
        try:
            event = StoredEvent.from_json(message.body)
        except ValueError:
            await self._park(_unreadable(message), UnreadableMessageError("The message is not an event of ours."))
            return
        if not await self._concerns(event):
            logger.debug("event_of_others", event_type=event.event_type)
        elif await self._parked.is_waiting(event):
            await self._park(event, None)
        else:
            try:
                await self._deliver(event)
            except Exception as error:
                await self._park(event, error)

    async def _park(self, event: StoredEvent, error: Exception | None) -> None:
        await self._parked.put(event, error)
        self._parked_one()
        if error is not None:
            logger.error("event_parked", event_type=event.event_type, event_id=str(event.id), exc_info=error)


def _unreadable(message: EventMessage) -> StoredEvent:
    """A message that nobody can read, as an event that an operator can look at."""
    text = message.body.decode(errors="replace").replace("\x00", "\ufffd")
    event_type = message.event_type.replace("\x00", "\ufffd")
    return StoredEvent(
        id=uuid5(NAMESPACE_OID, f"{message.id}:{text}"),
        aggregate_type=None,
        aggregate_id=None,
        version=None,
        event_type=event_type or "unknown",
        event_version=1,
        payload={"body": text},
        metadata={},
        occurred_at=datetime.now(UTC),
    )
