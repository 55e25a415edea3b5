"""Events are on their way to a broker while workers are killed, and the broker too."""

import asyncio
import time

from app.composition.container import running_service
from tests.chaos import bank, batches
from tests.chaos.batches import Depositor
from tests.chaos.deliveries import all_caused_once, check_arrived, drained
from tests.chaos.oracle import require
from tests.chaos.servers import MissingError
from tests.chaos.stage import Database, Stage
from tests.chaos.witnesses import BrokerServer, Load, broker, kinds
from tests.chaos.workers import WorkerProcess, workers

ACCOUNTS = 200
WORKERS = 2
LATEST_KILL_SECONDS = 0.3
BURSTS_IN_OUTAGE = 5
DRAINED_SECONDS = 30.0
EFFECTS_SECONDS = 60.0


async def play(stage: Stage) -> str:
    """One kind of broker after the other."""
    if not stage.has_postgres:
        stage.left_out.append("relay (on SQLite one worker delivers at a time)")
        return "left out"
    lines = []
    for kind in kinds():
        size = kind.full_load if stage.full else kind.load
        try:
            async with broker(stage, kind) as server:
                lines.append(await _under_fire(stage, await stage.postgres(ACCOUNTS), server, size))
        except MissingError as missing:
            stage.left_out.append(f"relay on {kind.name} ({missing})")
    return "; ".join(lines)


async def _under_fire(stage: Stage, database: Database, server: BrokerServer, size: Load) -> str:
    writing = database.settings(relay_in_service=False)
    async with (
        running_service(writing, [*bank.PACKAGES, batches.__name__]) as service,
        workers(stage, database, WORKERS, broker_url=server.url) as victims,
    ):
        depositor = Depositor(service.bus, database.accounts, stage.random)
        battle = Battle(stage, database, server, depositor, victims)
        waited = await battle.fight(size)
        await drained(database, DRAINED_SECONDS)
        await all_caused_once(database, EFFECTS_SECONDS)
        arrivals = await server.arrived()
        events = await check_arrived(database, arrivals, once=server.drops_duplicates)
        stored = await depositor.ledger.check(database.driver_url)
    require(stored == events == size.events, f"{stored} deposits and {events} events, but {size.events} were made.")
    return (
        f"{server.name} {size.kills} kills, {events} events arrived in order ({len(arrivals) - events} twice) and had "
        f"one effect, "
        f"drained {waited:.1f} s after {size.outage_seconds:g} s without the broker"
    )


class Battle:
    """Bursts of commits. During each a worker is killed; during some the broker is away."""

    def __init__(
        self, stage: Stage, database: Database, server: BrokerServer, depositor: Depositor, victims: list[WorkerProcess]
    ) -> None:
        self._dice = stage.random
        self._database = database
        self._server = server
        self._depositor = depositor
        self._victims = victims

    async def fight(self, size: Load) -> float:
        """All kills, and in the middle of them the outage; how many seconds after it everything was delivered."""
        burst, rest = divmod(size.events, size.kills + BURSTS_IN_OUTAGE)
        for _ in range(size.kills // 2):
            await self._kill_one(burst)
        waited = await self._outage(burst, size.outage_seconds)
        for _ in range(size.kills - size.kills // 2):
            await self._kill_one(burst)
        await self._depositor.commit(rest)
        return waited

    async def _kill_one(self, burst: int) -> None:
        victim = self._dice.choice(self._victims)
        moment = self._dice.uniform(0, LATEST_KILL_SECONDS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._depositor.commit(burst))
            await asyncio.sleep(moment)
            await victim.kill()
            await victim.start()

    async def _outage(self, burst: int, seconds: float) -> float:
        first = asyncio.create_task(self._depositor.commit(burst))
        await asyncio.sleep(self._dice.uniform(0, LATEST_KILL_SECONDS))
        await self._server.kill()
        ends = time.monotonic() + seconds
        for _ in range(BURSTS_IN_OUTAGE - 1):
            await asyncio.sleep(seconds / BURSTS_IN_OUTAGE)
            await self._depositor.commit(burst)
        await first
        await asyncio.sleep(ends - time.monotonic())
        await self._server.start()
        back = time.monotonic()
        await drained(self._database, DRAINED_SECONDS)
        return time.monotonic() - back
