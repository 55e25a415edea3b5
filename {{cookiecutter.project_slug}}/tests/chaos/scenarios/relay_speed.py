"""How many events a second one relay brings to JetStream, by its clock. No oracle: other work slows it down."""

from app.composition.container import running_service
from tests.chaos import bank, batches, deposited
from tests.chaos.batches import Depositor
from tests.chaos.broker_nats import Nats
from tests.chaos.deliveries import check_arrived, drained
from tests.chaos.servers import MissingError
from tests.chaos.stage import Stage
from tests.chaos.witnesses import broker
from tests.chaos.workers import workers

ACCOUNTS = 500
DRAINED_SECONDS = 120.0


async def play(stage: Stage) -> str:
    """All events wait before the relay starts."""
    if not stage.has_postgres:
        stage.left_out.append("relay_speed (PostgreSQL)")
        return "left out"
    database = await stage.postgres(ACCOUNTS)
    async with running_service(
        database.settings(relay_in_service=False), [*bank.PACKAGES, batches.__name__]
    ) as service:
        depositor = Depositor(service.bus, database.accounts, stage.random)
        await depositor.commit(stage.size(3_000, 10_000))
    try:
        async with broker(stage, Nats) as server:
            async with workers(stage, database, 1, packages=(deposited.__name__,), broker_url=server.url):
                await drained(database, DRAINED_SECONDS)
            events = await check_arrived(database, await server.arrived(), once=True)
            times = await server.stored_at()
    except MissingError as missing:
        stage.left_out.append(f"relay_speed ({missing})")
        return "left out"
    seconds = (times[-1] - times[0]).total_seconds()
    return f"{(events - 1) / seconds:.0f} events/s of {events} that waited, of {ACCOUNTS} aggregates"
