"""Events that failed and wait, for an operator: which they are, and what can be done with them."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, func, literal, or_, select, union_all, update

from app.core.cqrs import ConflictError
from app.persistence.backlog import WAITING_TABLES
from app.persistence.database import Database
from app.persistence.wakeup import Bell


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """An event that failed at least once, and waits."""

    table: str
    id: UUID
    event_type: str
    aggregate_type: str | None
    aggregate_id: str | None
    version: int | None
    occurred_at: datetime
    attempts: int
    next_attempt_at: datetime | None
    dead: bool
    last_error: str

    @property
    def aggregate(self) -> str:
        """Whose event it is."""
        return "" if self.aggregate_id is None else f"{self.aggregate_type} {self.aggregate_id}"


async def failed_events(database: Database, *, dead_only: bool, limit: int) -> list[FailedEvent]:
    """The events that failed and wait, the oldest first."""
    every = union_all(*(_failed(table, dead_only) for table in WAITING_TABLES)).subquery()
    async with database.reading() as session:
        rows = await session.execute(select(every).order_by(every.c.occurred_at, every.c.id).limit(limit))
    return [FailedEvent(**row) for row in rows.mappings()]


async def replay(database: Database, ids: Collection[UUID] | None) -> int:
    """Let events be tried again, now and as often as new ones: these, or all that are dead or held back.

    What went wrong stays with them until they are delivered.

    Returns:
        How many there are.

    Raises:
        ConflictError: one of these does not wait; then nothing is changed.
    """
    values = {"dead": False, "attempts": 0, "next_attempt_at": None}
    return await _change(database, ids, values, only_dead=False)


async def purge(database: Database, ids: Collection[UUID] | None) -> int:
    """Give dead events up, these or all: they are never delivered, and what waited behind them is.

    An event that was given up stays in the log; one that was parked is swept after a while, as if it had been
    delivered. It counts as published, so that it holds up nobody, and it stays dead and keeps its last error: that is
    how those that were given up are found, and `published_at` says since when.

    Returns:
        How many there were.

    Raises:
        ConflictError: one of these is not dead, or does not wait; then nothing is changed.
    """
    return await _change(database, ids, {"published_at": datetime.now(UTC)}, only_dead=True)


async def dead_among(database: Database, ids: Collection[UUID] | None) -> int:
    """How many of these, or of all, are dead and wait."""
    chosen = [_chosen(table, ids, only_dead=True) for table in WAITING_TABLES]
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(union_all(*chosen).subquery())) or 0


async def _change(database: Database, ids: Collection[UUID] | None, values: dict[str, Any], *, only_dead: bool) -> int:
    changed: list[UUID] = []
    async with database.writing_engine.begin() as connection:
        for table in WAITING_TABLES:
            # Of all, those that are just being tried are left alone: to wait for them may take too long.
            chosen = _chosen(table, ids, only_dead=only_dead).with_for_update(skip_locked=ids is None)
            change = update(table).where(table.c.id.in_(chosen)).values(values).returning(table.c.id)
            changed += (await connection.execute(change)).scalars()
        missing = set(ids or ()) - set(changed)
        if missing:
            kind = "No dead event waits" if only_dead else "No event waits"
            named = ", ".join(map(str, sorted(missing)))
            raise ConflictError(f"{kind} with the id {named}: see `app outbox list`. Nothing was changed.")
    bell = Bell(database)
    bell.add(())
    await bell.idle()
    return len(changed)


def _chosen(table: Table, ids: Collection[UUID] | None, *, only_dead: bool) -> Select[tuple[UUID]]:
    event = table.c
    waiting = select(event.id).where(event.published_at.is_(None))
    if only_dead:
        waiting = waiting.where(event.dead)
    elif ids is None:
        waiting = waiting.where(or_(event.dead, event.next_attempt_at.is_not(None)))
    return waiting if ids is None else waiting.where(event.id.in_(ids))


def _failed(table: Table, dead_only: bool) -> Select[Any]:
    event = table.c
    columns = [event[field.name] for field in fields(FailedEvent) if field.name != "table"]
    failed = event.dead if dead_only else event.last_error.is_not(None)
    return select(literal(table.name).label("table"), *columns).where(event.published_at.is_(None), failed)
