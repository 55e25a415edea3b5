"""Finds events that nobody handles, because their handler or their class is gone."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Table, func, select, tuple_

from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, received_events
from app.persistence.events.outbox_statements import OWN, SKIPPED, UNREADABLE, Handlers, Kind, source_of
from app.persistence.events.outbox_statistics import first_new, first_of, waiting_handlers


async def without_handlers(database: Database, handlers: Handlers) -> dict[str, dict[str, int]]:
    """Handlers that are not among these, or do not react to some type any more -> type -> how many events wait.

    Only the first events of each handler are counted: what nobody handles is sooner or later among them.
    """
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    async with database.relaying_engine.connect() as connection:
        for handler in (await connection.execute(waiting_handlers())).scalars().all():
            first = first_of(handler).c
            kinds = select(first.source, first.event_type, func.count()).group_by(first.source, first.event_type)
            for source, event_type, count in await connection.execute(kinds):
                if handler not in (UNREADABLE, *handlers.get((source, event_type), ())):
                    found[handler][_named(source, event_type)] = count
    return dict(found)


async def without_class(database: Database, kinds: Collection[Kind]) -> dict[str, int]:
    """Types that are not among these -> how many of the first events that were not handed out are of them."""
    found: dict[str, int] = {}
    async with database.relaying_engine.connect() as connection:
        for table in (event_log, received_events):
            columns = (source_of(table).label("source"), table.c.event_type)
            orphans = select(*columns, func.count()).where(table.c.id.in_(first_new(table)), has_no_class(table, kinds))
            for source, event_type, count in await connection.execute(orphans.group_by(*columns)):
                found[_named(source, event_type)] = count
    return found


def has_no_class(table: Table, kinds: Iterable[Kind]) -> ColumnElement[bool]:
    """Whether an event was not handed out because its type is not among these."""
    event = table.c
    unknown: ColumnElement[bool] = event.event_type.not_in([name for source, name in kinds if source == OWN])
    if table is received_events:
        unknown = tuple_(event.source, event.event_type).not_in(list(kinds)) & (event.event_type != SKIPPED)
    return event.published_at.is_(None) & unknown


def _named(source: str, event_type: str) -> str:
    return event_type if source == OWN else f"{event_type} of {source}"
