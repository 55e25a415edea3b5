"""How many events wait to be delivered, for gauges and for an operator."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, and_, false, func, literal, select, union_all

from app.persistence.database import Database
from app.persistence.tables import event_log, parked_events

WAITING_TABLES = (event_log, parked_events)
"""Where events wait: those of this service on their way out, and those that failed where they arrived."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many events of one table wait, and why. Those that failed wait too, and so do the dead."""

    table: str
    waiting: int
    oldest_seconds: float
    """How long ago the oldest of them happened; 0 where none waits."""
    failed: int
    dead: int
    behind_dead: int


async def backlogs(database: Database, at_most: int | None = None) -> list[Backlog]:
    """How much waits in each table; with `at_most`, look only at so many of the oldest, so that it stays cheap."""
    async with database.reading() as session:
        rows = await session.execute(union_all(*(_backlog(table, at_most) for table in WAITING_TABLES)))
    counted = [dict(row) for row in rows.mappings()]
    return [Backlog(oldest_seconds=_age(row.pop("oldest")), **row) for row in counted]


def _age(happened: datetime | None) -> float:
    return 0.0 if happened is None else max(0.0, (datetime.now(UTC) - happened).total_seconds())


def _backlog(table: Table, at_most: int | None) -> Any:
    names = ("id", "aggregate_type", "aggregate_id", "version", "occurred_at", "last_error", "dead")
    waits = select(*(table.c[name] for name in names)).where(table.c.published_at.is_(None))
    event = waits.order_by(table.c.id).limit(at_most).cte(f"waiting_{table.name}").c
    dead = (
        select(event.aggregate_type, event.aggregate_id, func.min(event.version).label("version"))
        .where(event.dead, event.aggregate_id.is_not(None))
        .group_by(event.aggregate_type, event.aggregate_id)
        .subquery()
    )
    same = and_(dead.c.aggregate_type == event.aggregate_type, dead.c.aggregate_id == event.aggregate_id)
    behind_dead = and_(event.dead == false(), event.version > dead.c.version)
    return select(
        literal(table.name).label("table"),
        func.count(event.id).label("waiting"),
        func.min(event.occurred_at).label("oldest"),
        func.count(event.id).filter(event.last_error.is_not(None)).label("failed"),
        func.count(event.id).filter(event.dead).label("dead"),
        func.count(event.id).filter(behind_dead).label("behind_dead"),
    ).select_from(event.id.table.outerjoin(dead, same))
