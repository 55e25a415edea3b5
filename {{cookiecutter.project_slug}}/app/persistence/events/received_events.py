"""Stores events of other services, each once, before the message is acknowledged to the broker."""

from datetime import UTC, datetime
from uuid import UUID

from app.core.cqrs import CQRSError
from app.persistence.engine.database import Database
from app.persistence.engine.upsert import if_new
from app.persistence.event_tables import reactions, received_events
from app.persistence.events.outbox_statements import transaction
from app.persistence.events.reaction import reason
from app.persistence.events.stored_event import StoredEvent

UNREADABLE = "(unreadable)"
"""In place of a handler's name: a message that no handler can process."""


async def keep(database: Database, event: StoredEvent, source: str, previous: int | None) -> None:
    """Store an event that arrived; a duplicate is ignored.

    Args:
        database: stores the event.
        event: the decoded event.
        source: the name of the sending service.
        previous: the version of the aggregate's previous public event, if the sender states it.
    """
    row = {**event.row(), "source": source, "previous": previous, "received_at": datetime.now(UTC)}
    async with transaction(database) as connection:
        await connection.execute(if_new(received_events, connection.dialect.name), row)


async def keep_unreadable(database: Database, event_id: UUID, body: str, error: CQRSError) -> None:
    """Store a message that no release can read as a dead letter, for an operator."""
    now = datetime.now(UTC)
    event = StoredEvent(event_id, None, None, None, "unreadable", 1, {"body": body}, {}, now)
    row = {**event.row(), "source": "", "previous": None, "received_at": now, "published_at": now}
    waits = {
        "event_id": event_id,
        "handler": UNREADABLE,
        "source": "",
        "attempts": 1,
        "last_error": reason(error),
        "dead": True,
    }
    async with transaction(database) as connection:
        dialect = connection.dialect.name
        await connection.execute(if_new(received_events, dialect), row)
        await connection.execute(if_new(reactions, dialect), waits)
