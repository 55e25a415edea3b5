"""kill -9 of the service at every point of a command, while others are at work."""

from itertools import count

from tests.chaos.callers import Caller, ServiceProcess, callers, share_out
from tests.chaos.crash import HEADER, POINTS
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import require
from tests.chaos.stage import Database, Stage

OTHERS = 5
EACH = 4
DIES_SECONDS = 10.0


async def play(stage: Stage) -> str:
    """Each point is met a number of times, on each database."""
    lines = [await _on(stage, database, stage.size(1, 20)) async for database in stage.databases(5)]
    stage.left_out.append("crash_points: effects of events that were stored just before a kill, until there is a relay")
    return "; ".join(lines)


async def _on(stage: Stage, database: Database, times: int) -> str:
    ledger, numbers = Ledger(), count(1)
    async with stage.service(database) as service:
        points = [*POINTS] * times
        stage.random.shuffle(points)
        for point in points:
            await _kill_at(
                point, stage, database, service, ledger, [f"entry{next(numbers)}" for _ in range(OTHERS * EACH)]
            )
        stored = await ledger.check(database.driver_url, all_effects=False)
    return f"{database.kind} {len(points)} kills, {stored} deposits stored once, {ledger.faults}"


async def _kill_at(
    point: str, stage: Stage, database: Database, service: ServiceProcess, ledger: Ledger, entries: list[str]
) -> None:
    """One of the entries kills the service; when it is back, all that have no answer are sent again."""
    deadly = stage.random.choice(entries)
    account_of = {entry: stage.random.choice(database.accounts) for entry in entries}

    async def send(caller: Caller, entry: str) -> None:
        headers = {HEADER: point} if entry == deadly else {}
        ledger.note(entry, await caller.deposit_once(account_of[entry], entry, **headers))

    async def send_again(caller: Caller, entry: str) -> None:
        ledger.note(entry, await caller.deposit_once(account_of[entry], entry))

    async with callers(service.url, OTHERS) as people:
        await share_out(entries, people, send)
    await service.program.ended(DIES_SECONDS)
    await service.start()
    async with callers(service.url, OTHERS) as people:
        await share_out(entries, people, send_again)
    undecided = [entry for entry in entries if entry not in ledger.acknowledged]
    require(not undecided, f"{len(undecided)} retries at {point} have no definitive answer: {ledger.faults}.")
