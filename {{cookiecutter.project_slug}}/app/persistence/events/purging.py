"""How operators discard events: dead letters, all that waits for a handler, and events whose class is gone."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Table, and_, delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, reactions, received_events
from app.persistence.events.batches import in_batches
from app.persistence.events.orphans import has_no_class
from app.persistence.events.outbox_statements import LOCK, Kind, promote, writing
from app.persistence.events.outbox_statistics import NEW
from app.persistence.events.waiting_events import chosen, require_all, wake_relays

logger = structlog.get_logger(__name__)


class Choice(NamedTuple):
    """Which events are discarded: dead ones, and those with these ids that were not handed out.

    A handler alone means all that waits for it, dead or not; of what was not handed out (`NEW`), all without a class.
    """

    ids: Collection[UUID] | None = None
    """None: all."""
    handler: str | None = None
    """None: any."""
    dead_only: bool = False
    """Whether a handler alone means only its dead events."""
    kinds: Collection[Kind] = ()
    """The source and type of all events that have a class."""


class Chosen(NamedTuple):
    """How many events were chosen: an event counts once for each handler."""

    total: int
    alive: int
    """Those among them that are not dead."""


async def count_chosen(database: Database, choice: Choice) -> Chosen:
    """How many events `purge` would discard."""
    r = reactions.c
    waiting = select(func.count(), func.count().filter(~r.dead)).where(_to_be_purged(choice))
    async with database.reading() as session:
        count, alive = (await session.execute(waiting)).one()
        new = [
            await session.scalar(select(func.count()).select_from(table).where(condition)) or 0
            for table, condition in _new(choice)
        ]
    return Chosen(count + sum(new), alive + sum(new))


async def purge(database: Database, choice: Choice) -> int:
    """Discard events: no handler gets them, and events behind them become due. They stay in the event log.

    Events that are named by ids are discarded in one transaction, each with a line in the log. All others are discarded
    in batches, with a line for each handler, and delivery continues in between: after a failure the rest still waits.

    Returns:
        The number of discarded events: an event counts once for each handler.

    Raises:
        ConflictError: if an id names no event that this discards; then nothing is changed.
    """
    discarded = await (_purge_all(database, choice) if choice.ids is None else _purge_named(database, choice))
    await wake_relays(database)
    return discarded


async def _purge_named(database: Database, choice: Choice) -> int:
    async with writing(database, LOCK) as (connection, now):
        found = [row for part in _parts(choice) for row in await _discard(connection, *part, now)]
        require_all(choice.ids, [event_id for event_id, _, _ in found], "No dead event waits")
    for event_id, handler, last_error in found:
        logger.warning("event_discarded", event_id=str(event_id), handler=handler, last_error=last_error)
    return len(found)


async def _purge_all(database: Database, choice: Choice) -> int:
    counts: Counter[str] = Counter()
    try:
        for table, condition in _parts(choice):
            # The newest first, so that no event which is to be discarded becomes due in between.
            async for batch in in_batches(database, table, condition, newest_first=True):
                async with writing(database, LOCK) as (connection, now):
                    found = await _discard(connection, table, batch, now)
                counts.update(handler for _, handler, _ in found)
    finally:
        for handler, count in sorted(counts.items()):
            logger.warning("events_discarded", handler=handler, events=count)
    return counts.total()


async def _discard(
    connection: AsyncConnection, table: Table, condition: ColumnElement[bool], now: datetime
) -> list[tuple[UUID, str, str | None]]:
    """Discard these rows of a table. Returns the id, the handler and the last error of each."""
    r = reactions.c
    if table is not reactions:
        new = update(table).where(condition).values(published_at=now).returning(table.c.id)
        return [(event_id, NEW, None) for event_id in (await connection.execute(new)).scalars()]
    columns = (r.event_id, r.handler, r.source, r.aggregate_type, r.aggregate_id, r.last_error)
    found = (await connection.execute(delete(reactions).where(condition).returning(*columns))).all()
    await promote(connection, {tuple(row)[1:5] for row in found}, now)
    return [(row.event_id, row.handler, row.last_error) for row in found]


def _parts(choice: Choice) -> list[tuple[Table, ColumnElement[bool]]]:
    """The tables with rows that may be discarded, each with the condition for them."""
    return [(reactions, _to_be_purged(choice)), *_new(choice)]


def _to_be_purged(choice: Choice) -> ColumnElement[bool]:
    all_of_handler = choice.ids is None and choice.handler is not None and not choice.dead_only
    return and_(chosen(choice.ids, choice.handler), true() if all_of_handler else reactions.c.dead)


def _new(choice: Choice) -> list[tuple[Table, Any]]:
    """The tables of events, each with the condition for new events that are discarded; empty if none are."""
    if choice.dead_only or choice.handler not in (None, NEW) or (choice.ids is None and choice.handler is None):
        return []
    return [
        (
            table,
            has_no_class(table, choice.kinds)
            if choice.ids is None
            else and_(table.c.published_at.is_(None), table.c.id.in_(choice.ids)),
        )
        for table in (event_log, received_events)
    ]
