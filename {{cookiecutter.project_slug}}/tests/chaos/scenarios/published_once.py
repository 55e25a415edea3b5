"""A command that needed several attempts has its event published once, and one that was given up has none."""

from tests.chaos.broker_redis import RedisStreams
from tests.chaos.deliveries import check_arrived, drained
from tests.chaos.oracle import require
from tests.chaos.scenarios.injected_failures import deposit_in_spite_of
from tests.chaos.servers import MissingError
from tests.chaos.stage import Stage
from tests.chaos.witnesses import broker

DRAINED_SECONDS = 30.0


async def play(stage: Stage) -> str:
    """At a broker that would keep an event as often as it gets it."""
    if not stage.has_postgres:
        stage.left_out.append("published_once (SQLite has no 40001)")
        return "left out"
    database = await stage.postgres(accounts=1)
    try:
        async with broker(stage, RedisStreams) as server, stage.service(database, broker_url=server.url) as service:
            ledger = await deposit_in_spite_of({"locked": (0, 1, 2, 3)}, database, service.url)
            await drained(database, DRAINED_SECONDS)
            published = await check_arrived(database, await server.arrived(), once=True)
    except MissingError as missing:
        stage.left_out.append(f"published_once ({missing})")
        return "left out"
    acknowledged = len(ledger.acknowledged)
    require(published == acknowledged, f"{published} events were published of {acknowledged} deposits.")
    return f"{published} deposits after up to 2 failures, each published once, {ledger.faults}"
