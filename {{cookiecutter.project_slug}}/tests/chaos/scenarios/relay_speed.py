"""How many events a second one relay brings to JetStream. A figure, not an oracle: other work slows it down."""

from sqlalchemy import func, select

from app.core.container import running_service
from app.persistence.tables import event_log
from tests.chaos import bank, batches, deposited
from tests.chaos.batches import Depositor
from tests.chaos.brokers import Nats
from tests.chaos.deliveries import check_arrived, drained, looking
from tests.chaos.servers import MissingError
from tests.chaos.stage import Database, Stage
from tests.chaos.witnesses import arrived, broker
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
            events = await check_arrived(database, await arrived(server), once=True)
    except MissingError as missing:
        stage.left_out.append(f"relay_speed ({missing})")
        return "left out"
    return f"{await _events_a_second(database):.0f} events/s of {events} that waited, of {ACCOUNTS} aggregates"


async def _events_a_second(database: Database) -> float:
    """From the end of the relay's first turn to the end of its last, without the events of the first."""
    log = event_log.c
    turns = select(log.published_at, func.count()).group_by(log.published_at).order_by(log.published_at)
    async with looking(database) as connection:
        (begun, _), *others = (await connection.execute(turns)).all()
    seconds: float = (others[-1].published_at - begun).total_seconds()
    delivered: int = sum(events for _, events in others)
    return delivered / seconds
