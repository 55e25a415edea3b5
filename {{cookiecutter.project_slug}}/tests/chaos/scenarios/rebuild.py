"""Read models are made anew while customers order; one rebuild is killed in the middle."""

from collections.abc import Collection

from app.cli.projections import projections
from app.composition.container import RunningService, event_types, running_service
from app.core.cqrs import ConflictError
from app.persistence.engine.database import Database as Opened
from app.persistence.projections import Projection
from app.persistence.projections.rebuilding import rebuild
from tests.chaos.customers import Customers
from tests.chaos.deliveries import drained
from tests.chaos.old_orders import commit_orders
from tests.chaos.oracle import require, until
from tests.chaos.rebuilds import Rows, events_a_second, kill_in_the_middle, rows_of, same, shadows_of
from tests.chaos.stage import Database, Stage

KILLED = "customer_history"
SLOWEST_EVENTS_A_SECOND = 5_000
FREE_SECONDS = 60.0
DRAINED_SECONDS = 60.0


async def play(stage: Stage) -> str:
    """On PostgreSQL, where customers order while a read model is made anew; on SQLite they would take turns with it."""
    if not stage.has_postgres:
        stage.left_out.append("rebuild (PostgreSQL)")
        return "left out"
    database = await stage.postgres(0)
    events = stage.size(10_000, 50_000)
    await commit_orders(database, stage.random, events)
    async with running_service(database.settings()) as service:
        models = ReadModels(stage, database, service)
        await models.open()
        killed = await models.kill_one()
        made = await models.make_all()
    return f"PostgreSQL {events} events: {killed}; {made}"


class ReadModels:
    """The read models of one database, and who writes to it meanwhile."""

    def __init__(self, stage: Stage, database: Database, service: RunningService) -> None:
        self._stage = stage
        self._database = database
        self._service = service
        self._customers = Customers(service.bus, stage.random)
        self._projections = projections()
        self._old: Rows = {}

    async def open(self) -> None:
        """Make them for the first time."""
        for projection in self._projections.values():
            await self._make_alone(projection)
        self._old = await rows_of(self._database, self._projections.values())

    async def kill_one(self) -> str:
        """Kill a rebuild in the middle: the table is as if there had been none, and the next one can begin."""
        projection = self._projections[KILLED]
        orders = len(self._old[projection.table])
        async with self._customers.ordering():
            made = await kill_in_the_middle(self._stage, self._database, projection, orders)
        await self._nothing_is_lost()
        await self._same_when_made_anew([projection], "after a rebuild was killed")
        return f"{KILLED} killed at {made} of {orders} orders, {len(self._customers.placed)} placed meanwhile"

    async def make_all(self) -> str:
        """Make each anew, as an operator does, and measure it; in a reduced run only the one that was killed."""
        before = len(self._customers.placed)
        chosen = self._projections if self._stage.full else {KILLED: self._projections[KILLED]}
        async with self._customers.ordering():
            speeds = {name: await events_a_second(self._stage, self._database, one) for name, one in chosen.items()}
        placed = len(self._customers.placed) - before
        await self._nothing_is_lost()
        await self._same_when_made_anew(self._projections.values(), "from those that were made while customers ordered")
        slowest, fastest = min(speeds.values()), max(speeds.values())
        said = f"{len(speeds)} made anew at {slowest:.0f} to {fastest:.0f} events/s, {placed} placed meanwhile"
        require(not self._stage.full or slowest >= SLOWEST_EVENTS_A_SECOND, f"Too slow: {said}.")
        return said

    async def _nothing_is_lost(self) -> None:
        """Old orders are as they were, and those placed since are there too."""
        await drained(self._database, DRAINED_SECONDS)
        rows = await rows_of(self._database, self._projections.values())
        for table in (projection.table for projection in self._projections.values()):
            found = {row.order_id: row for row in rows[table]}
            changed = sum(found.pop(row.order_id, None) != row for row in self._old[table])
            require(not changed, f"{changed} of {len(self._old[table])} old orders differ in {table.name}.")
            lost = len(found.keys() ^ self._customers.placed)
            require(not lost, f"{lost} of {len(self._customers.placed)} new orders are not in {table.name}, or others.")

    async def _same_when_made_anew(self, projections: Collection[Projection], when: str) -> None:
        """While nobody writes, a rebuild changes nothing, and leaves nothing behind."""
        live = await rows_of(self._database, projections)
        for projection in projections:
            await self._make_alone(projection)
        same(await rows_of(self._database, projections), live, when)
        left = await shadows_of(self._database)
        require(not left, f"Rebuilds left {', '.join(left)} behind.")

    async def _make_alone(self, projection: Projection) -> None:
        """Make it anew; the server may take a moment to notice that somebody was killed who did."""
        opened = await self._service.container.get(Opened)

        async def is_made() -> bool:
            try:
                await rebuild(opened, event_types(), projection)
            except ConflictError:
                return False
            return True

        await until(is_made, f"{projection.name} is to be free", FREE_SECONDS)
