"""Several workers of a service share what another service tells over a broker, and some are killed meanwhile."""

import asyncio
from collections import defaultdict
from itertools import cycle

from sqlalchemy import select

from app.composition.container import running_service
from app.persistence.event_tables import event_log
from tests.chaos import bank, batches, deposited, listener
from tests.chaos.batches import Depositor
from tests.chaos.deliveries import check_order, counted, drained, looking
from tests.chaos.oracle import require, until
from tests.chaos.servers import MissingError
from tests.chaos.stage import Database, Stage
from tests.chaos.witnesses import BrokerServer, broker, kinds
from tests.chaos.workers import WorkerProcess, workers

ACCOUNTS = 50
HANDLERS = ("HearAtOnce", "HearSlowly")
GROUP = "listener"
LATEST_KILL_SECONDS = 0.1
HEARD_SECONDS = 120.0


async def play(stage: Stage) -> str:
    """With each broker; with two workers, and FULL with four too."""
    if not stage.has_postgres:
        stage.left_out.append("shared_workers (on SQLite one worker handles at a time)")
        return "left out"
    lines = []
    for kind in kinds():
        try:
            for how_many in (2, 4) if stage.full else (2,):
                async with broker(stage, kind) as server:
                    lines.append(await _share(stage, server, how_many))
        except MissingError as missing:
            stage.left_out.append(f"shared_workers on {kind.name} ({missing})")
    return "; ".join(lines)


async def _share(stage: Stage, server: BrokerServer, how_many: int) -> str:
    told, hearing = await stage.postgres(ACCOUNTS), await stage.postgres(0)
    events, kills = stage.size(300, 2_000), stage.size(1, 4)
    here = {"broker_url": server.url, "service_name": listener.BANK, "broker_group": "bank"}
    there = {"broker_url": server.url, "service_name": "chaos-listener", "broker_group": GROUP}
    async with (
        workers(stage, hearing, how_many, packages=(listener.__name__,), **there) as victims,
        running_service(told.settings(relay_in_service=False), [*bank.PACKAGES, batches.__name__]) as service,
    ):
        await server.is_known(GROUP)
        async with workers(stage, told, 1, packages=(deposited.__name__,), **here), asyncio.TaskGroup() as tasks:
            depositor = Depositor(service.bus, told.accounts, stage.random)
            tasks.create_task(depositor.commit(events))
            everything = events * len(HANDLERS)
            moments = [everything * number // (kills + 2) for number in range(1, kills + 1)]
            heard = await _kill(stage, victims, hearing, moments)
            await _heard(hearing, everything)
        await drained(hearing, HEARD_SECONDS)
    await _check_order(told, hearing)
    require(heard < everything, "The last kill came when all was done.")
    return (
        f"{server.name} {how_many} workers, {kills} kills, the last at {heard} of {everything}, {events} events at "
        f"{len(HANDLERS)} handlers once, in order"
    )


async def _kill(stage: Stage, victims: list[WorkerProcess], hearing: Database, moments: list[int]) -> int:
    """Kill one worker after the other, when so many events were heard; how many they were at the last kill.

    Nobody waits for a worker to come back but who is to kill it again.
    """
    heard, back = 0, dict[WorkerProcess, asyncio.Task[WorkerProcess]]()
    in_turn = cycle(stage.random.sample(victims, len(victims)))
    async with asyncio.TaskGroup() as tasks:
        for moment, victim in zip(moments, in_turn, strict=False):
            if victim in back:
                await back[victim]
            heard = await _heard(hearing, moment)
            await asyncio.sleep(stage.random.uniform(0, LATEST_KILL_SECONDS))
            await victim.kill()
            back[victim] = tasks.create_task(victim.start())
    return heard


async def _heard(hearing: Database, how_many: int) -> int:
    """Wait until handlers had so many events, or more; how many they had."""
    async with looking(hearing) as connection:

        async def have() -> int:
            heard = await counted(connection, listener.heard.c.place)
            return heard if heard >= how_many else 0

        return await until(have, f"{how_many} events are to be heard", HEARD_SECONDS)


async def _check_order(told: Database, hearing: Database) -> None:
    """Each handler had each event once, those of an account in their order."""
    async with looking(told) as connection:
        rows = await connection.execute(select(event_log.c.payload, event_log.c.aggregate_id, event_log.c.version))
        happened = {row.payload["entry"]: (row.aggregate_id, row.version) for row in rows}
    had: dict[str, list[str]] = defaultdict(list)
    async with looking(hearing) as connection:
        for row in await connection.execute(select(listener.heard).order_by(listener.heard.c.place)):
            had[row.handler].append(row.entry)
    require(sorted(had) == sorted(HANDLERS), f"Only {sorted(had)} heard anything.")
    for handler, entries in had.items():
        twice = len(entries) - len(set(entries))
        lost = len(happened.keys() - set(entries))
        require(not twice and not lost, f"{handler}: {twice} effects too many, {lost} of {len(happened)} events lost.")
        check_order(happened[entry] for entry in entries)
