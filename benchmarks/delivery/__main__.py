"""Measure how fast events reach three reactions each, on PostgreSQL and in one process.

The rate depends on the machine: `benchmarks.beside` compares it with that of another commit.
"""

import argparse
import asyncio
import secrets
import statistics
import sys

from sqlalchemy import func, select

from app.cli.service import collect_rarely
from app.composition.container import running_service
from app.core.config import checked_settings
from app.core.logging import configure_logging
from app.persistence.engine.database import Database
from app.persistence.schema import migrate
from benchmarks.costs import add_option, tell
from benchmarks.delivery import reactions
from benchmarks.http.database import fresh_database

HANDLERS = (reactions.__name__,)
IN_ONE = 10
REACTIONS = 3
PATIENCE_SECONDS = 300.0


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delivery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often (5)")
    parser.add_argument("--events", type=int, default=1000, help="how many events each time (1000)")
    parser.add_argument("--quick", action="store_true", help="once, with 100 events")
    add_option(parser)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.events = 1, 100
    configure_logging(level="warning")
    collect_rarely()
    rates = [asyncio.run(_measure(options.events)) for _ in range(options.rounds)]
    shown = ", ".join(f"{rate:.0f}" for rate in rates)
    tell(options.costs, {"an event to three reactions": 1 / statistics.median(rates)})
    print(f"{statistics.median(rates):.0f} events/s with {REACTIONS} reactions each; the rounds: {shown}")
    return 0


async def _measure(events: int) -> float:
    """Events a second, from the first effect to the last."""
    async with fresh_database(is_synchronous=True) as url:
        settings = checked_settings(
            environment="test", secret_key=secrets.token_urlsafe(48), database_url=url, audit_log=False
        )
        await asyncio.to_thread(migrate.upgrade, settings)
        async with running_service(settings.model_copy(update={"relay_in_service": False}), HANDLERS) as service:
            database = await service.container.get(Database)
            async with database.writing_engine.begin() as connection:
                await connection.run_sync(reactions.metadata.create_all)
            for _ in range(events // IN_ONE):
                (await service.bus.execute_command(reactions.PostLetters(IN_ONE))).unwrap()
        async with running_service(settings, HANDLERS) as service, asyncio.timeout(PATIENCE_SECONDS):
            await service.bus.settled()
            return await _rate(await service.container.get(Database), events)


async def _rate(database: Database, events: int) -> float:
    at = reactions.effects.c.at
    async with database.reading() as session:
        count, first, last = (await session.execute(select(func.count(), func.min(at), func.max(at)))).one()
    assert count == REACTIONS * events, f"{count} effects of {events} events"
    return events / float((last - first).total_seconds())


if __name__ == "__main__":
    sys.exit(main())
