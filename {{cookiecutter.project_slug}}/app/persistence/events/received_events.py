"""Stores events of other services, each once, before the message is acknowledged to the broker."""

from uuid import UUID

from app.core.cqrs import CQRSError
from app.persistence.engine.database import Database
from app.persistence.engine.upsert import if_new, replacing_marked
from app.persistence.event_tables import reactions, received_events
from app.persistence.events.outbox_statements import SKIPPED, UNREADABLE, writing
from app.persistence.events.reaction import reason
from app.persistence.events.stored_event import StoredEvent


async def keep(database: Database, event: StoredEvent, source: str, previous: int | None) -> None:
    """Store an event that arrived; a duplicate is ignored, unless the first one had no class and this one has.

    Args:
        database: stores the event.
        event: the decoded event.
        source: the name of the sending service.
        previous: the version of the aggregate's previous public event, if the sender states it.
    """
    async with writing(database) as (connection, now):
        row = {**event.row(), "source": source, "previous": previous, "received_at": now}
        await connection.execute(replacing_marked(received_events.c.event_type, SKIPPED, connection.dialect.name), row)


async def keep_unreadable(database: Database, event_id: UUID, body: str, error: CQRSError, source: str) -> None:
    """Store a message that no release can read as a dead letter, for an operator; without a source if it has none."""
    waits = {
        "event_id": event_id,
        "handler": UNREADABLE,
        "source": source,
        "attempts": 1,
        "last_error": reason(error),
        "dead": True,
    }
    async with writing(database) as (connection, now):
        event = StoredEvent(event_id, None, None, None, "unreadable", 1, {"body": body}, {}, now)
        row = {**event.row(), "source": source, "previous": None, "received_at": now, "published_at": now}
        dialect = connection.dialect.name
        await connection.execute(if_new(received_events, dialect), row)
        await connection.execute(if_new(reactions, dialect), waits)
