"""Two hundred callers change a few accounts at once, with each way of keeping them apart."""

from tests.chaos.callers import Answer, Caller, callers, share_out
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import require
from tests.chaos.stage import Database, Stage

AT_ONCE = 200
ACCOUNTS = 5
SUCCEED_AT_LEAST = 0.97
KINDS = ("locked", "versioned", "serializable")


async def play(stage: Stage) -> str:
    """SQLite has one writer, which makes all ways the same: one will do."""
    lines = []
    async for database in stage.databases(ACCOUNTS):
        for kind in KINDS if database.postgres else KINDS[:1]:
            database = await (stage.postgres(ACCOUNTS) if database.postgres else stage.sqlite(ACCOUNTS))
            lines.append(await _on(stage, database, kind, stage.size(400, 10_000)))
    return "; ".join(lines)


async def _on(stage: Stage, database: Database, kind: str, updates: int) -> str:
    ledger = Ledger()

    async def send(caller: Caller, number: int) -> None:
        answer = await caller.deposit(database.accounts[number % ACCOUNTS], f"entry{number}", kind)
        _check_polite(answer)
        ledger.note(f"entry{number}", answer)

    async with stage.service(database) as service, callers(service.url, AT_ONCE) as people:
        await share_out(list(range(updates)), people, send)
        stored = await ledger.check(database.driver_url)
    require(stored == len(ledger.acknowledged), f"{stored} stored, but {len(ledger.acknowledged)} acknowledged.")
    share = stored / updates
    require(share >= SUCCEED_AT_LEAST, f"{database.kind}, {kind}: only {share:.1%} of {updates} succeeded.")
    return f"{database.kind} {kind} {share:.1%} of {updates} succeeded, {ledger.faults}"


def _check_polite(answer: Answer | None) -> None:
    """Who does not succeed is told whether it was a conflict, or when to come back."""
    require(answer is not None, "A request had no answer.")
    assert answer is not None, "it was just required"
    known = answer.status in (200, 409) or (answer.status == 503 and answer.retry_after is not None)
    require(known, f"A contended update was answered {answer.status}: {answer.body[:300]!r}.")
