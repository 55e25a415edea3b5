"""Sends public events again that were sent before, for services that have lost them or are new."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, insert, literal, select

from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, reactions
from app.persistence.events.batches import in_batches
from app.persistence.events.fan_out import reaction_row
from app.persistence.events.outbox_statements import BROKER, LOCK, OWN, promote, writing
from app.persistence.events.waiting_events import wake_relays


async def resend(database: Database, types: Collection[str], since: datetime, until: datetime) -> int:
    """Let events wait for their publication again, in the order of their ids; those that still wait are left out.

    Args:
        database: holds the event log.
        types: the types of the events.
        since, until: when they happened: from the first moment on, and before the second.

    Returns:
        The number of events that will be sent again.
    """
    event, sent = event_log.c, 0
    columns = (event.id, event.aggregate_type, event.aggregate_id, event.version, literal(OWN).label("source"))
    async for batch in in_batches(database, event_log, _sent(types, since, until)):
        async with writing(database, LOCK) as (connection, now):
            found = (await connection.execute(select(*columns).where(batch).order_by(event.id))).mappings().all()
            rows = [reaction_row(one, BROKER, now if one["aggregate_id"] is None else None) for one in found]
            if rows:  # another operator may have been quicker
                await connection.execute(insert(reactions), rows)
                streams = {(BROKER, OWN, row["aggregate_type"], row["aggregate_id"]) for row in rows}
                await promote(connection, streams, now)
        await wake_relays(database)
        sent += len(rows)
    return sent


def _sent(types: Collection[str], since: datetime, until: datetime) -> ColumnElement[bool]:
    """Whether an event is of a type and a time, was handed out, and does not wait for its publication."""
    event = event_log.c
    waits = exists().where(reactions.c.event_id == event.id, reactions.c.handler == BROKER)
    happened = event.event_type.in_(types), event.occurred_at >= since, event.occurred_at < until
    return and_(*happened, event.published_at.is_not(None), ~waits)
