"""Several relays share the events of one database while nothing fails: each event is published once, in order."""

import asyncio

from app.composition.container import running_service
from tests.chaos import bank, batches, deposited
from tests.chaos.batches import Depositor
from tests.chaos.broker_redis import RedisStreams
from tests.chaos.deliveries import check_arrived, drained
from tests.chaos.servers import MissingError
from tests.chaos.stage import Stage
from tests.chaos.witnesses import broker
from tests.chaos.workers import workers

ACCOUNTS = 50
RELAYS = (2, 4)
DRAINED_SECONDS = 60.0


async def play(stage: Stage) -> str:
    """At a broker that would keep an event as often as it gets it."""
    if not stage.has_postgres:
        stage.left_out.append("many_relays (on SQLite one relay delivers at a time)")
        return "left out"
    lines = []
    for relays in RELAYS:
        try:
            async with broker(stage, RedisStreams) as server:
                lines.append(await _share(stage, server, relays))
        except MissingError as missing:
            stage.left_out.append(f"many_relays ({missing})")
            return "left out"
    return "; ".join(lines)


async def _share(stage: Stage, server: RedisStreams, relays: int) -> str:
    """Half of the events wait for the relays, half come while they work."""
    database, events = await stage.postgres(ACCOUNTS), stage.size(1_000, 10_000)
    async with running_service(
        database.settings(relay_in_service=False), [*bank.PACKAGES, batches.__name__]
    ) as service:
        depositor = Depositor(service.bus, database.accounts, stage.random)
        await depositor.commit(events // 2)
        async with asyncio.TaskGroup() as tasks:
            others = tasks.create_task(depositor.commit(events // 2))
            async with workers(stage, database, relays, packages=(deposited.__name__,), broker_url=server.url):
                await others
                await drained(database, DRAINED_SECONDS)
    published = await check_arrived(database, await server.arrived(), once=True)
    return f"{relays} relays published {published} events once, in order"
