"""Counts the events that wait for each handler, for metrics and for operators."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, Table, exists, func, literal, select, union_all

from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, reactions, received_events

NEW = "(new)"
"""In place of a handler's name: events that were not handed out yet."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many events wait for one handler. Failed events and dead letters count as waiting, too."""

    handler: str
    waiting: int
    oldest_seconds: float
    """Age of the oldest waiting event; 0 if none waits."""
    failed: int
    dead: int
    behind_dead: int


async def backlogs(database: Database, at_most: int | None = None) -> list[Backlog]:
    """The backlog of each handler. `at_most` bounds the cost: of each, only so many of the oldest rows are counted.

    Dead events are all counted.
    """
    async with database.reading() as session:
        new = await session.execute(union_all(*(_new(table, at_most) for table in (event_log, received_events))))
        counted = [(row.waiting, row.oldest) for row in new]
        handlers = (await session.execute(_handlers())).scalars().all()
        each = [_of_handler(handler, at_most) for handler in handlers]
        rows = [dict(row) for row in (await session.execute(union_all(*each))).mappings()] if each else []
    oldest = min((moment for _, moment in counted if moment is not None), default=None)
    waiting_for_all = Backlog(NEW, sum(waiting for waiting, _ in counted), _age(oldest), 0, 0, 0)
    return [waiting_for_all, *(Backlog(oldest_seconds=_age(row.pop("oldest")), **row) for row in rows)]


def _age(happened: datetime | None) -> float:
    return 0.0 if happened is None else max(0.0, (datetime.now(UTC) - happened).total_seconds())


def _new(table: Table, at_most: int | None) -> Select[*tuple[Any, ...]]:
    new = select(table.c.id, table.c.occurred_at).where(table.c.published_at.is_(None))
    event = new.order_by(table.c.id).limit(at_most).subquery().c
    return select(func.count(event.id).label("waiting"), func.min(event.occurred_at).label("oldest"))


def _handlers() -> Select[*tuple[str]]:
    """The handlers for which something waits, in order, found by jumps in the index from each to the next."""
    r = reactions.c
    names = select(func.min(r.handler).label("handler")).cte("names", recursive=True)
    following = select(func.min(r.handler)).where(r.handler > names.c.handler).scalar_subquery()
    names = names.union_all(select(following).where(names.c.handler.is_not(None)))
    return select(names.c.handler).where(names.c.handler.is_not(None))


def _of_handler(handler: str, at_most: int | None) -> Select[*tuple[Any, ...]]:
    row, r = _waiting(handler, at_most).subquery().c, reactions.c
    dead = select(func.count()).where(r.handler == handler, r.due_at.is_(None), r.dead)
    return select(
        literal(handler).label("handler"),
        func.count().label("waiting"),
        func.min(row.occurred_at).label("oldest"),
        func.count().filter(row.last_error.is_not(None)).label("failed"),
        dead.scalar_subquery().label("dead"),
        func.count().filter(row.behind & ~row.dead).label("behind_dead"),
    )


def _waiting(handler: str, at_most: int | None) -> Select[*tuple[Any, ...]]:
    r, dead = reactions.c, reactions.alias("dead").c
    behind = exists().where(
        dead.handler == r.handler,
        dead.source == r.source,
        dead.aggregate_type == r.aggregate_type,
        dead.aggregate_id == r.aggregate_id,
        dead.version < r.version,
        dead.dead,
    )
    happened = func.coalesce(event_log.c.occurred_at, received_events.c.occurred_at, type_=event_log.c.occurred_at.type)
    both = reactions.outerjoin(event_log, event_log.c.id == r.event_id)
    both = both.outerjoin(received_events, received_events.c.id == r.event_id)
    wanted = select(r.last_error, r.dead, happened.label("occurred_at"), behind.label("behind"))
    return wanted.select_from(both).where(r.handler == handler).order_by(r.event_id).limit(at_most)
