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

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Column, MetaData, Row, Table, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateTable, DropTable

from app.core.cqrs import ConflictError, RaisedEvent
from app.core.cqrs.event_types import EventTypes
from app.persistence.engine.advisory_lock import alone
from app.persistence.engine.database import Database
from app.persistence.projections.lag import Place, behind, in_order, missing
from app.persistence.projections.projection import Projection, fold_all

BATCH = 2_000
PREFIX = "rebuild_of_"


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
    async with alone(database, f"{PREFIX}{projection.name}") as mine:
        if not mine:
            raise ConflictError(f"{projection.name} is being rebuilt already: wait until that is done.")
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
        self._missing = missing(projection, self._shadows[projection.table], database.is_sqlite)
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
        at: Place | None = None
        there_is = await self._count_missing()
        while self.folded < there_is:
            batch = in_order(self._projection, at).limit(BATCH)
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
        while (left := await self._count_missing()) >= BATCH and (before is None or left <= before / 2):
            before, goal = left, self.folded + left
            while self.folded < goal and await self._fold_missing():
                pass

    async def replace(self) -> None:
        """Lock out who keeps the live tables, fold the rest, and copy."""
        async with self._writing() as session:
            if not self._database.is_sqlite:  # whose writers are locked out by every transaction that writes
                tables = ", ".join(table.name for table in self._shadows)
                await session.execute(text(f"LOCK TABLE {tables} IN EXCLUSIVE MODE"))
            await self._fold_rest(session)
            for table, shadow in self._shadows.items():
                await session.execute(delete(table))
                await session.execute(insert(table).from_select(list(shadow.c.keys()), select(shadow)))

    async def _fold_rest(self, session: AsyncSession) -> None:
        """Fold what is missing; what is committed from now on finds the new rows, when it may write again."""
        at: Place | None = None
        while True:
            rows = (await session.execute(self._missing.where(behind(at)).limit(BATCH))).all()
            await self._fold(session, rows)
            if len(rows) < BATCH:
                break
            at = (rows[-1].aggregate_id, rows[-1].version)  # events of aggregates without a beginning stay missing

    async def _count_missing(self) -> int:
        async with self._writing() as session:
            return await session.scalar(select(func.count()).select_from(self._missing.subquery())) or 0

    async def _fold_missing(self) -> int:
        async with self._writing() as session:
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


def _shadow_of(table: Table, is_sqlite: bool) -> Table:
    """A table with the same columns and key, and nothing else; it need not survive a crash of the server."""
    columns = [Column(one.name, one.type, primary_key=one.primary_key, nullable=one.nullable) for one in table.columns]
    return Table(f"{PREFIX}{table.name}", MetaData(), *columns, prefixes=[] if is_sqlite else ["UNLOGGED"])
