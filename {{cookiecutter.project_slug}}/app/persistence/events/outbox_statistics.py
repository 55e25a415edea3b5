"""Counts the events that wait for each handler, for metrics and for operators."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, Table, exists, func, literal, select, union_all

from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, reactions, received_events

NEW = "(new)"
"""In place of a handler's name: events that were not handed out yet."""

LOOKED_AT = 1_000
"""Of how many events that wait, those with the lowest ids, the age and type are read: ids are ordered by time."""


@dataclass(frozen=True, slots=True)
class Queue:
    """How many events wait for one handler. Failed events and dead letters count as waiting, too."""

    handler: str
    waiting: int
    oldest_seconds: float
    """Age of the oldest waiting event; 0 if none waits."""
    dead: int


@dataclass(frozen=True, slots=True)
class Backlog(Queue):
    """A queue with the reasons why its events wait."""

    failed: int
    behind_dead: int


async def queues(database: Database, at_most: int | None = None) -> list[Queue]:
    """The queue of each handler, without what costs a look at each event.

    Args:
        database: holds the outbox.
        at_most: the number at which counting ends, for each handler: the waiting and the dead are counted apart.
    """
    async with database.reading_latest() as session:
        tables = union_all(*(_new(table, at_most) for table in (event_log, received_events)))
        new = (await session.execute(tables)).all()
        handlers = (await session.execute(waiting_handlers())).scalars()
        each = [_of_handler(handler, at_most) for handler in handlers]
        rows = (await session.execute(union_all(*each))).all() if each else []
    oldest = min((row.oldest for row in new if row.oldest is not None), default=None)
    waiting_for_all = Queue(NEW, sum(row.waiting for row in new), _age(oldest), 0)
    return [waiting_for_all, *(Queue(row.handler, row.waiting, _age(row.oldest), row.dead) for row in rows)]


async def backlogs(database: Database) -> list[Backlog]:
    """The backlog of each handler. All of it is counted, which reads each row that waits."""
    found = await queues(database)
    async with database.reading_latest() as session:
        failed, behind_dead = [dict(list(await session.execute(_by_handler(only)))) for only in _reasons()]
    return [
        Backlog(q.handler, q.waiting, q.oldest_seconds, q.dead, failed.get(q.handler, 0), behind_dead.get(q.handler, 0))
        for q in found
    ]


def _age(happened: datetime | None) -> float:
    return 0.0 if happened is None else max(0.0, (datetime.now(UTC) - happened).total_seconds())


def waiting_handlers() -> Select[*tuple[str]]:
    """The handlers for which something waits, in order, found by jumps in the index from each to the next."""
    r = reactions.c
    names = select(func.min(r.handler).label("handler")).cte("names", recursive=True)
    following = select(func.min(r.handler)).where(r.handler > names.c.handler).scalar_subquery()
    names = names.union_all(select(following).where(names.c.handler.is_not(None)))
    return select(names.c.handler).where(names.c.handler.is_not(None))


def _new(table: Table, at_most: int | None) -> Select[*tuple[Any, ...]]:
    new = select(table.c.id).where(table.c.published_at.is_(None)).order_by(table.c.id)
    oldest = select(func.min(table.c.occurred_at)).where(table.c.id.in_(first_new(table)))
    return select(_count(new, at_most).label("waiting"), oldest.scalar_subquery().label("oldest"))


def first_new(table: Table) -> Select[*tuple[UUID]]:
    """The lowest `LOOKED_AT` ids of events that were not handed out."""
    return select(table.c.id).where(table.c.published_at.is_(None)).order_by(table.c.id).limit(LOOKED_AT)


def _of_handler(handler: str, at_most: int | None) -> Select[*tuple[Any, ...]]:
    r = reactions.c
    waiting = select(r.handler).where(r.handler == handler)
    return select(
        literal(handler).label("handler"),
        _count(waiting, at_most).label("waiting"),
        _count(waiting.where(r.due_at.is_(None), r.dead), at_most).label("dead"),
        func.min(first_of(handler).c.occurred_at).label("oldest"),
    )


def _count(rows: Select[*tuple[Any, ...]], at_most: int | None) -> ColumnElement[int]:
    return select(func.count()).select_from(rows.limit(at_most).subquery()).scalar_subquery()


def first_of(handler: str) -> Subquery:
    """The first `LOOKED_AT` reactions of a handler by id, with the types of their events and when these happened."""
    # Limited before the join: a join of all that waits reads a large part of the log.
    first = select(reactions.c.event_id, reactions.c.source).where(reactions.c.handler == handler)
    waiting = first.order_by(reactions.c.event_id).limit(LOOKED_AT).subquery()
    own, foreign = event_log.c, received_events.c
    both = waiting.outerjoin(event_log, own.id == waiting.c.event_id)
    both = both.outerjoin(received_events, foreign.id == waiting.c.event_id)
    return (
        select(
            waiting.c.source,
            func.coalesce(own.event_type, foreign.event_type).label("event_type"),
            func.coalesce(own.occurred_at, foreign.occurred_at, type_=own.occurred_at.type).label("occurred_at"),
        )
        .select_from(both)
        .subquery()
    )


def _by_handler(condition: ColumnElement[bool]) -> Select[*tuple[str, int]]:
    return select(reactions.c.handler, func.count()).where(condition).group_by(reactions.c.handler)


def _reasons() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Whether a reaction failed, and whether it waits behind a dead one."""
    r, dead = reactions.c, reactions.alias("dead").c
    before = exists().where(
        dead.handler == r.handler,
        dead.source == r.source,
        dead.aggregate_type == r.aggregate_type,
        dead.aggregate_id == r.aggregate_id,
        dead.version < r.version,
        dead.dead,
    )
    return r.last_error.is_not(None), ~r.dead & before
