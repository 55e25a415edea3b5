"""Make a read model anew from the event log, while the service runs; the log is read into shadow tables.

Events are not committed in the order of their ids, so nobody can say "up to here". But those of one aggregate are,
and each row says which is the last it has. So an event is missing if the row of its aggregate is older:

1. The log is read aggregate by aggregate, batch by batch.
2. What was committed meanwhile is missing, and folded, for as long as that gets less.
3. Whoever keeps the read model live is locked out, the rest is folded, and the shadow tables are copied over the live
   ones, all in one transaction. Readers go on reading what was there before.

Whoever waited for the lock goes on from the copied rows, and passes over what they have. A rebuild that ends early,
however it does, leaves the live tables as they were; the next one drops its shadow tables.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    MetaData,
    Row,
    Select,
    Table,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    true,
    tuple_,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateTable, DropTable

from app.core.cqrs import ConflictError, RaisedEvent
from app.core.cqrs.event_types import EventTypes
from app.persistence.database import Database
from app.persistence.projections import Projection, fold_all
from app.persistence.sqlite import exclusively
from app.persistence.tables import event_log

BATCH = 2_000
LOCK_ID = 0x61707072
PREFIX = "rebuild_of_"
log = event_log.c
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
    missing = _missing(projection, projection.table, database.is_sqlite).subquery()
    async with database.reading() as session:
        rows = await session.scalar(select(func.count()).select_from(projection.table))
        behind = await session.scalar(select(func.count()).select_from(missing))
    return State(projection.name, rows or 0, behind or 0)


async def events_of(database: Database, projection: Projection) -> int:
    """How many events there are for a projection."""
    async with database.reading() as session:
        counted = select(func.count()).select_from(event_log).where(log.aggregate_type == projection.aggregate_type)
        return await session.scalar(counted) or 0


async def rebuild(
    database: Database, types: EventTypes, projection: Projection, progress: Callable[[int], Any] = lambda count: None
) -> int:
    """Make a read model anew.

    Args:
        database: where it is.
        types: the classes of all events.
        projection: which it is.
        progress: is told how many more events were folded.

    Returns:
        How many events it is made of.

    Raises:
        ConflictError: it is being rebuilt already.
        TransientError: the lock was not to be had in time; nothing is changed.
        UnreadableEventError: an event in the log cannot be read; nothing is changed.
    """
    async with _alone(database, projection.name):
        rebuilding = Rebuilding(database, types, projection, progress)
        await rebuilding.make_shadows()
        try:
            await rebuilding.fold_log()
            await rebuilding.catch_up()
            await rebuilding.replace()
        finally:
            await rebuilding.drop_shadows()
        return rebuilding.folded


class Rebuilding:
    """One rebuild; the steps of `rebuild`."""

    def __init__(
        self, database: Database, types: EventTypes, projection: Projection, progress: Callable[[int], Any]
    ) -> None:
        self._database = database
        self._types = types
        self._projection = projection
        self._progress = progress
        self._shadows = {table: _shadow_of(table, database.is_sqlite) for table in projection.tables}
        self._missing = _missing(projection, self._shadows[projection.table], database.is_sqlite)
        self.folded = 0

    async def make_shadows(self) -> None:
        """Make empty tables, in place of those that a rebuild which was killed may have left."""
        await self.drop_shadows()
        async with self._writing() as session:
            for shadow in self._shadows.values():
                await session.execute(CreateTable(shadow))

    async def drop_shadows(self) -> None:
        """Drop what was made."""
        async with self._writing() as session:
            for shadow in self._shadows.values():
                await session.execute(DropTable(shadow, if_exists=True))

    async def fold_log(self) -> None:
        """Read as much as there is now, in the order of the aggregates' ids."""
        at: tuple[str, int] | None = None
        there_is = await self._count_missing()
        while self.folded < there_is:
            batch = _in_order(self._projection, at).limit(BATCH)
            async with self._writing() as session:
                rows = (await session.execute(batch)).all()
                await self._fold(session, rows)
            if len(rows) < BATCH:
                break
            at = (rows[-1].aggregate_id, rows[-1].version)
        if not self._database.is_sqlite:  # whose planner needs no word of how much there is by now
            async with self._writing() as session:
                await session.execute(text(f"ANALYZE {self._shadows[self._projection.table].name}"))

    async def catch_up(self) -> None:
        """Fold what was committed meanwhile, until that is little, or does not get less by half."""
        before: int | None = None
        while (missing := await self._count_missing()) >= BATCH and (before is None or missing <= before / 2):
            before, goal = missing, self.folded + missing
            while self.folded < goal and await self._fold_missing_apart():
                pass

    async def replace(self) -> None:
        """Lock out who keeps the live tables, fold the rest, and copy."""
        async with self._writing() as session:
            if not self._database.is_sqlite:  # whose writers are locked out by every transaction that writes
                tables = ", ".join(table.name for table in self._shadows)
                await session.execute(text(f"LOCK TABLE {tables} IN EXCLUSIVE MODE"))
            while await self._fold_missing(session) >= BATCH:
                pass  # what is committed from now on finds the new rows, when it may write again
            for table, shadow in self._shadows.items():
                await session.execute(delete(table))
                await session.execute(insert(table).from_select(list(shadow.c.keys()), select(shadow)))

    async def _count_missing(self) -> int:
        async with self._writing() as session:
            return await session.scalar(select(func.count()).select_from(self._missing.subquery())) or 0

    async def _fold_missing_apart(self) -> int:
        async with self._writing() as session:
            return await self._fold_missing(session)

    async def _fold_missing(self, session: AsyncSession) -> int:
        return await self._fold(session, (await session.execute(self._missing.limit(BATCH))).all())

    async def _fold(self, session: AsyncSession, rows: Iterable[Row[Any]]) -> int:
        events = [self._raised(row) for row in rows]
        count = await fold_all(session, self._projection, events, self._shadows) if events else 0
        self.folded += count
        self._progress(count)
        return count

    def _raised(self, row: Row[Any]) -> RaisedEvent:
        own = {"event_id": row.id, "occurred_at": row.occurred_at}
        event = self._types.read(row.event_type, row.event_version, row.payload, **own)
        return RaisedEvent(event, self._projection.aggregate_type, row.aggregate_id, row.version)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncSession]:
        """A transaction that may take long."""
        async with self._database.writing() as session, session.begin():
            if not self._database.is_sqlite:
                await session.execute(text("SET LOCAL statement_timeout = 0"))
            yield session


def _in_order(projection: Projection, at: tuple[str, int] | None) -> Select[*tuple[Any, ...]]:
    """The events behind this aggregate and version."""
    behind = true() if at is None else tuple_(log.aggregate_id, log.version) > tuple_(*at)
    found = select(*EVENT).where(log.aggregate_type == projection.aggregate_type, behind)
    return found.order_by(log.aggregate_id, log.version)


def _missing(projection: Projection, table: Table, is_sqlite: bool) -> Select[*tuple[Any, ...]]:
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


def _shadow_of(table: Table, is_sqlite: bool) -> Table:
    """A table with the same columns and key, and nothing else; it need not survive a crash of the server."""
    columns = [Column(one.name, one.type, primary_key=one.primary_key, nullable=one.nullable) for one in table.columns]
    return Table(f"{PREFIX}{table.name}", MetaData(), *columns, prefixes=[] if is_sqlite else ["UNLOGGED"])


@asynccontextmanager
async def _alone(database: Database, name: str) -> AsyncIterator[None]:
    """Be the only one who rebuilds this read model.

    Raises:
        ConflictError: somebody else does.
    """
    taken = ConflictError(f"{name} is being rebuilt already: wait until that is done.")
    if database.is_sqlite:
        with exclusively(database.writing_engine, f"{PREFIX}{name}") as mine:
            if not mine:
                raise taken
            yield
        return
    lock: Mapping[str, Any] = {"id": LOCK_ID, "name": name}
    engine = database.writing_engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        if not await connection.scalar(text("SELECT pg_try_advisory_lock(:id, hashtext(:name))"), lock):
            raise taken
        try:
            yield
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(:id, hashtext(:name))"), lock)
