"""How far a read model is behind the event log: which events its rows do not have."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Table,
    cast,
    func,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
)

from app.persistence.engine.database import Database
from app.persistence.projections.projection import Projection
from app.persistence.tables import event_log

log = event_log.c
Place = tuple[str, int]
"""An aggregate's id and a version of it."""
EVENT = (log.aggregate_id, log.version, log.id, log.event_type, log.event_version, log.payload, log.occurred_at)


@dataclass(frozen=True, slots=True)
class State:
    """How far a read model is."""

    projection: str
    rows: int
    """How many aggregates it has."""
    behind: int
    """How many events it does not have yet."""


async def state_of(database: Database, projection: Projection) -> State:
    """How far a read model is; to count what it does not have, the log is read."""
    lacking = missing(projection, projection.table, database.is_sqlite).subquery()
    async with database.reading() as session:
        rows = await session.scalar(select(func.count()).select_from(projection.table))
        behind = await session.scalar(select(func.count()).select_from(lacking))
    return State(projection.name, rows or 0, behind or 0)


async def events_of(database: Database, projection: Projection) -> int:
    """How many events there are for a projection."""
    async with database.reading() as session:
        counted = select(func.count()).select_from(event_log).where(log.aggregate_type == projection.aggregate_type)
        return await session.scalar(counted) or 0


def in_order(projection: Projection, at: Place | None) -> Select[*tuple[Any, ...]]:
    """The events behind this place."""
    found = select(*EVENT).where(log.aggregate_type == projection.aggregate_type, behind(at))
    return found.order_by(log.aggregate_id, log.version)


def behind(at: Place | None) -> ColumnElement[bool]:
    """What comes behind a place in the log; None: the beginning."""
    return true() if at is None else tuple_(log.aggregate_id, log.version) > tuple_(*at)


def missing(projection: Projection, table: Table, is_sqlite: bool) -> Select[*tuple[Any, ...]]:
    """The events that the rows of a table do not have."""
    (key,) = table.primary_key
    aggregate_id: ColumnElement[Any] = cast(log.aggregate_id, key.type)  # and not the key, which has an index
    if is_sqlite and key.type.python_type is UUID:  # which it keeps as text without hyphens
        aggregate_id = func.replace(log.aggregate_id, "-", "")
    version: Column[int] = table.c.version
    return (
        select(*EVENT)
        .select_from(event_log.outerjoin(table, type_coerce(key, aggregate_id.type) == aggregate_id))
        .where(log.aggregate_type == projection.aggregate_type, or_(version.is_(None), log.version > version))
        .order_by(log.aggregate_id, log.version)
    )
