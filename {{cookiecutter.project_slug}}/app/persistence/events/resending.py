"""Sends public events again that were sent before, for services that have lost them or are new."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, insert, literal, select

from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, reactions
from app.persistence.events.fan_out import reaction_row
from app.persistence.events.outbox_statements import BROKER, LOCK, OWN, promote, writing
from app.persistence.events.waiting_events import wake_relays

BATCH = 500
"""Events that one transaction lets wait: relays do not wait long for so few."""


async def resend(database: Database, types: Collection[str], since: datetime, until: datetime) -> int:
    """Let events wait for their publication again, in the order of their ids; those that still wait are left out.

    Args:
        database: holds the event log.
        types: the types of the events.
        since, until: when they happened: from the first moment on, and before the second.

    Returns:
        The number of events that will be sent again.
    """
    sent, last = 0, UUID(int=0)
    while True:
        async with writing(database, LOCK) as (connection, now):
            found = (await connection.execute(_sent(types, since, until, last))).mappings().all()
            if found:
                rows = [reaction_row(event, BROKER, now if event["aggregate_id"] is None else None) for event in found]
                await connection.execute(insert(reactions), rows)
                await promote(
                    connection, {(BROKER, OWN, row["aggregate_type"], row["aggregate_id"]) for row in rows}, now
                )
        await wake_relays(database)
        if not found:
            return sent
        sent, last = sent + len(found), found[-1]["id"]


def _sent(types: Collection[str], since: datetime, until: datetime, last: UUID) -> Select[*tuple[Any, ...]]:
    """The next events after this id that were handed out and do not wait for their publication."""
    event = event_log.c
    waits = exists().where(reactions.c.event_id == event.id, reactions.c.handler == BROKER)
    columns = (event.id, event.aggregate_type, event.aggregate_id, event.version, literal(OWN).label("source"))
    return (
        select(*columns)
        .where(event.id > last, event.event_type.in_(types), event.published_at.is_not(None), ~waits)
        .where(event.occurred_at >= since, event.occurred_at < until)
        .order_by(event.id)
        .limit(BATCH)
    )
