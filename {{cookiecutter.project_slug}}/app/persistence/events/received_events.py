"""Events of other services: kept before the broker is told that they arrived, each once."""

from datetime import UTC, datetime
from uuid import UUID

from app.core.cqrs import CQRSError
from app.persistence.engine.database import Database
from app.persistence.engine.upsert import if_new
from app.persistence.events.outbox import reason, transaction
from app.persistence.events.stored_event import StoredEvent
from app.persistence.tables import reactions, received_events

UNREADABLE = "(unreadable)"
"""In place of a handler: a message that no handler can ever have."""


async def keep(database: Database, event: StoredEvent, source: str, previous: int | None) -> None:
    """Keep an event that arrived; one that is kept already is not kept again.

    Args:
        database: where.
        event: what the other service says.
        source: the name of that service.
        previous: the version of the public event before it of the same aggregate, if the other service says so.
    """
    row = {**event.row(), "source": source, "previous": previous, "received_at": datetime.now(UTC)}
    async with transaction(database) as connection:
        await connection.execute(if_new(received_events, connection.dialect.name), row)


async def keep_unreadable(database: Database, event_id: UUID, body: str, error: CQRSError) -> None:
    """Keep a message that no release will read, for an operator: it is dead from the beginning."""
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
