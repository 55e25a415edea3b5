"""What is in the database, for tests."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, delete, update

from app.composition.container import RunningService
from app.core.cqrs import DomainEvent, EventRecord, OperationMetadata, RaisedEvent
from app.persistence.column_types import UtcDateTime
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, inbox, reactions
from app.persistence.tables import notifications


async def hear(service: RunningService, event: DomainEvent) -> None:
    """Let the reactions to an event of another service run, as if it had arrived.

    Raises:
        ExceptionGroup: of everything that they raised, when all have run.
    """
    await service.bus.reactions.run_all(stored(event))


async def deliver(service: RunningService, event: DomainEvent, handler: type) -> None:
    """Let one handler react to an event, as if it had been stored and were delivered now."""
    await service.bus.reactions.run(stored(event), handler.__name__)


def stored(event: DomainEvent) -> EventRecord:
    """The event as it is delivered."""
    return EventRecord(RaisedEvent(event), OperationMetadata(), is_stored=True)


async def deliver_again(service: RunningService) -> None:
    """Deliver what was stored once more, as after a crash between a reaction and the note that it ran."""
    await service.bus.settled()
    database = await service.container.get(Database)
    async with database.writing() as session, session.begin():
        await session.execute(delete(inbox))
        await session.execute(update(event_log).values(published_at=None))
    await service.bus.settled()


async def let_pass(service: RunningService, seconds: float, *tables: Table) -> None:
    """Let all times in these tables be so much longer ago: a test cannot set the clock of the database server."""
    database = await service.container.get(Database)
    for table in tables:
        (key,), columns = table.primary_key, [one for one in table.columns if isinstance(one.type, UtcDateTime)]
        for row in await rows_of(service, table):
            earlier = {
                one.name: moment - timedelta(seconds=seconds)
                for one in columns
                if (moment := getattr(row, one.name)) is not None
            }
            async with database.writing() as session, session.begin():
                await session.execute(update(table).where(key == getattr(row, key.name)).values(earlier))


async def nothing_waits(service: RunningService) -> bool:
    """Whether all events were handed out, and all their handlers are done with them."""
    return await rows_of(service, reactions) == [] and all(
        row.published_at for row in await rows_of(service, event_log)
    )


async def events_of(service: RunningService, aggregate_type: str, aggregate_id: UUID | None = None) -> list[Row[Any]]:
    """The stored events of one kind of aggregate, or of one aggregate, in their order; others may raise events too."""
    rows = [row for row in await rows_of(service, event_log) if row.aggregate_type == aggregate_type]
    return [row for row in rows if aggregate_id is None or row.aggregate_id == str(aggregate_id)]


async def notices_of(service: RunningService, kind: str) -> list[Row[Any]]:
    """The stored notifications of one kind; other handlers may send others because of the same events."""
    return [row for row in await rows_of(service, notifications) if row.kind == kind]


async def rows_of(service: RunningService, table: Table) -> list[Row[Any]]:
    """All rows of a table, by their keys: the database has no order of its own."""
    database = await service.container.get(Database)
    async with database.reading() as session:
        return list((await session.execute(table.select().order_by(*table.primary_key))).all())
