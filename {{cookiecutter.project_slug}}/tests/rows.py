"""What is in the database, for tests."""

from typing import Any

from sqlalchemy import Row, Table

from app.core.container import RunningService
from app.core.cqrs import EventRecord, RaisedEvent
from app.domain.user_events import UserCreated
from app.persistence.database import Database
from app.persistence.tables import event_log


async def deliver_again(service: RunningService) -> None:
    """Deliver what was stored once more, as a relay does that was stopped at the wrong moment."""
    await service.bus.settled()
    stored = [row for row in await rows_of(service, event_log) if row.event_type == "UserCreated"]
    events = [UserCreated(event_id=row.id, occurred_at=row.occurred_at, **row.payload) for row in stored]
    service.bus.deliver([EventRecord(RaisedEvent(event)) for event in events])
    await service.bus.settled()


async def rows_of(service: RunningService, table: Table) -> list[Row[Any]]:
    """All rows of a table."""
    database = await service.container.get(Database)
    async with database.reading() as session:
        return list((await session.execute(table.select())).all())
