"""Rebuilds a read model from the event log while the service runs, by folding the log into shadow tables.

Events are not committed in the order of their ids, so no id marks how far the log was read. But those of one aggregate
are committed in the order of versions, and each row stores its last. So an event is missing if its row is older:

1. The log is read aggregate by aggregate, in batches.
2. Events committed meanwhile are folded in rounds, until less than a batch is missing, or a round did not halve the
   number of missing events.
3. In one transaction live updates are locked out, the rest is folded, and the rows of the live tables are replaced by
   those of the shadow tables, as far as they differ. Readers still see the old content meanwhile.

Live updates that waited for the lock continue from the new rows, and skip the events that these include. A rebuild
that ends early, for any reason, leaves the live tables unchanged; the next one drops its shadow tables.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateTable, DropTable

from app.core.cqrs import ConflictError, RaisedEvent
from app.core.event_types import EventTypes
from app.persistence.engine.advisory_lock import alone
from app.persistence.engine.database import Database
from app.persistence.projections.folding import fold_all
from app.persistence.projections.lag import Place, among, in_order, log, missing, number_of
from app.persistence.projections.projection import Projection
from app.persistence.projections.replacing import Replacement, lock_out_writers, replace_rows, require_events, shadow_of

BATCH = 2_000
PREFIX = "rebuild_of_"

Progress = Callable[[int], Any]


async def rebuild(
    database: Database, types: EventTypes, projection: Projection, progress: Progress = lambda _: None
) -> int:
    """Rebuild a read model. Returns the number of folded events.

    Args:
        database: holds the event log and the read model.
        types: the classes of all events.
        projection: the definition of the read model.
        progress: called after each batch with the number of events folded in it.

    Raises:
        ConflictError: if the read model is already being rebuilt, or has rows although the log has no events for it.
        TransientError: if the lock was not obtained in time; then nothing is changed.
        UnreadableEventError: if an event in the log cannot be read; then nothing is changed.
    """
    return (await Rebuilding(database, types, projection, progress).run()).folded


class Rebuilding:
    """The steps of one rebuild."""

    def __init__(self, database: Database, types: EventTypes, projection: Projection, progress: Progress) -> None:
        self._database = database
        self._types = types
        self._projection = projection
        self._progress = progress
        self._shadows = {one: shadow_of(one, f"{PREFIX}{one.name}", database.is_sqlite) for one in projection.tables}
        self._missing = missing(projection, self._shadows[projection.table], database.is_sqlite)
        self.folded = 0

    async def run(self) -> Replacement:
        """All steps; raises what `rebuild` raises."""
        name = self._projection.name
        async with alone(self._database, f"{PREFIX}{name}") as mine:
            if not mine:
                raise ConflictError(f"{name} is already being rebuilt: wait until the rebuild has ended.")
            await self.make_shadows()
            try:
                await self.fold_log()
                await self.catch_up()
                return await self.replace()
            finally:
                await self.drop_shadows()

    async def make_shadows(self) -> None:
        """Create empty shadow tables, after dropping those that a killed rebuild may have left."""
        await self.drop_shadows()
        async with self._writing() as session:
            for shadow in self._shadows.values():
                await session.execute(CreateTable(shadow))

    async def drop_shadows(self) -> None:
        """Drop the shadow tables, if they exist."""
        async with self._writing() as session:
            for shadow in self._shadows.values():
                await session.execute(DropTable(shadow, if_exists=True))

    async def fold_log(self) -> None:
        """Fold all events that the log has now, in the order of aggregate ids."""
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
        if not self._database.is_sqlite:  # SQLite's planner does not need the row counts
            async with self._writing() as session:
                await session.execute(text(f"ANALYZE {', '.join(one.name for one in self._shadows.values())}"))

    async def catch_up(self) -> None:
        """Fold events committed meanwhile, until less than a batch is left, or their number does not halve any more."""
        before: int | None = None
        while (left := await self._count_missing()) >= BATCH and (before is None or left <= before / 2):
            before = left
            async with self._writing() as session:
                pages = await self._missing_pages(session)
            for page in pages:
                async with self._writing() as session:
                    await self._fold_page(session, page)

    async def replace(self) -> Replacement:
        """Lock out live updates, fold the rest, and replace the rows of the live tables."""
        began = monotonic()
        async with self._writing() as session:
            await lock_out_writers(session, self._shadows)
            for page in await self._missing_pages(session):
                await self._fold_page(session, page)
            await require_events(session, self._projection, self.folded)
            deleted, inserted = await replace_rows(session, self._shadows)
        return Replacement(self.folded, deleted, inserted, locked_seconds=monotonic() - began)

    async def _missing_pages(self, session: AsyncSession) -> list[Sequence[Place]]:
        """The positions of missing events, in batches.

        All are found at once: for a LIMIT, PostgreSQL would look up the row of every event in the log by an index.
        """
        found = (await session.execute(self._missing.with_only_columns(log.aggregate_id, log.version))).all()
        places: list[Place] = [(aggregate_id, version) for aggregate_id, version in found]
        return [places[start : start + BATCH] for start in range(0, len(places), BATCH)]

    async def _fold_page(self, session: AsyncSession, page: Sequence[Place]) -> None:
        await self._fold(session, (await session.execute(self._missing.where(among(page)))).all())

    async def _count_missing(self) -> int:
        async with self._writing() as session:
            return await session.scalar(number_of(self._missing)) or 0

    async def _fold(self, session: AsyncSession, rows: Iterable[Row[Any]]) -> None:
        events = [self._raised(row) for row in rows]
        count = await fold_all(session, self._projection, events, self._shadows) if events else 0
        self.folded += count
        self._progress(count)

    def _raised(self, row: Row[Any]) -> RaisedEvent:
        own = {"event_id": row.id, "occurred_at": row.occurred_at}
        event = self._types.read(row.event_type, row.event_version, row.payload, **own)
        return RaisedEvent(event, self._projection.aggregate_type, row.aggregate_id, row.version)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncSession]:
        """A transaction without a statement time-out."""
        async with self._database.writing() as session, session.begin():
            if not self._database.is_sqlite:
                await session.execute(text("SET LOCAL statement_timeout = 0"))
            yield session
