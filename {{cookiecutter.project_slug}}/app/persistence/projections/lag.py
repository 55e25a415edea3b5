"""Measures how far a read model lags behind the event log: which events its rows are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Select, Table, and_, cast, func, or_, select, true, tuple_, type_coerce

from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log
from app.persistence.projections.projection import Projection

log = event_log.c
Place = tuple[str, int]
"""A position in the log: the id of an aggregate and its version."""
EVENT = (log.aggregate_id, log.version, log.id, log.event_type, log.event_version, log.payload, log.occurred_at)


@dataclass(frozen=True, slots=True)
class State:
    """The progress of a read model."""

    projection: str
    rows: int
    """How many aggregates it contains."""
    behind: int
    """How many events it is missing."""


async def state_of(database: Database, projection: Projection) -> State:
    """The progress of a read model. Counting the missing events reads the log, so it may take long."""
    lacking = missing(projection, projection.table, database.is_sqlite)
    async with database.reading() as session:
        rows = await session.scalar(select(func.count()).select_from(projection.table))
        behind = await session.scalar(number_of(lacking))
    return State(projection.name, rows or 0, behind or 0)


async def events_of(database: Database, projection: Projection) -> int:
    """How many events the log has for a projection."""
    async with database.reading() as session:
        counted = select(func.count()).select_from(event_log).where(log.aggregate_type == projection.aggregate_type)
        return await session.scalar(counted) or 0


def number_of(events: Select[*tuple[Any, ...]]) -> Select[int]:
    """Counts events, without sorting them: if most of the log is missing, the sort takes longer than all else."""
    return select(func.count()).select_from(events.order_by(None).subquery())


def in_order(projection: Projection, at: Place | None) -> Select[*tuple[Any, ...]]:
    """The projection's events after this position, in the order of aggregates and versions."""
    found = select(*EVENT).where(log.aggregate_type == projection.aggregate_type, behind(at))
    return found.order_by(log.aggregate_id, log.version)


def behind(at: Place | None) -> ColumnElement[bool]:
    """The condition for events after a position in the log; None selects all."""
    return true() if at is None else tuple_(log.aggregate_id, log.version) > tuple_(*at)


def among(places: Sequence[Place]) -> ColumnElement[bool]:
    """The condition for events at these positions in the log, which are sorted as the database sorts them."""
    place = tuple_(log.aggregate_id, log.version)
    aggregates = log.aggregate_id.in_({aggregate_id for aggregate_id, _ in places})  # it makes an index useful
    return and_(aggregates, place >= tuple_(*places[0]), place <= tuple_(*places[-1]))


def missing(projection: Projection, table: Table, is_sqlite: bool) -> Select[*tuple[Any, ...]]:
    """The events that the rows of a table are missing."""
    (key,) = table.primary_key
    aggregate_id: ColumnElement[Any] = cast(log.aggregate_id, key.type)  # not the key, so that its index is used
    if is_sqlite and key.type.python_type is UUID:  # stored as text without hyphens
        aggregate_id = func.replace(log.aggregate_id, "-", "")
    version: Column[int] = table.c.version
    return (
        select(*EVENT)
        .select_from(event_log.outerjoin(table, type_coerce(key, aggregate_id.type) == aggregate_id))
        .where(log.aggregate_type == projection.aggregate_type, or_(version.is_(None), log.version > version))
        .order_by(log.aggregate_id, log.version)
    )
