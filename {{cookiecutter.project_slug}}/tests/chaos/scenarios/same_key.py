"""Many requests with the same idempotency key at once, to two processes where the database can take two."""

from contextlib import AsyncExitStack

from tests.chaos.callers import Caller, callers, share_out
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import require
from tests.chaos.stage import Database, Stage

AT_ONCE = 50


async def play(stage: Stage) -> str:
    """Every key has one effect, and everybody is told the same."""
    return "; ".join([await _on(stage, database, stage.size(20, 200)) async for database in stage.databases(5)])


async def _on(stage: Stage, database: Database, keys: int) -> str:
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        people: list[Caller] = []
        for _ in range(1 if database.postgres is None else 2):
            service = await stack.enter_async_context(stage.service(database))
            people += await stack.enter_async_context(callers(service.url, AT_ONCE))

        async def send(caller: Caller, entry: str) -> None:
            ledger.note(entry, await caller.deposit_once(database.accounts[len(entry) % 5], entry))

        # All requests of a key are sent at once, while those of its neighbours are under way.
        await share_out([f"entry{number}" for number in range(keys) for _ in range(AT_ONCE)], people, send)
        stored = await ledger.check(database.driver_url)
    require(stored == keys, f"{keys} keys had {stored} effects.")
    return f"{database.kind} {keys} keys x {AT_ONCE} requests, {stored} effects, {ledger.faults}"
