"""The server refuses a command N times with 40001, while a statement runs or at COMMIT; the next attempt succeeds."""

from collections.abc import Mapping, Sequence

from tests.chaos.callers import Answer, Caller, callers
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import require
from tests.chaos.postgres import Postgres
from tests.chaos.stage import Database, Stage

MOST_ATTEMPTS = {"locked": 3, "serializable": 20}
TRIGGERS = {
    "a statement": "CREATE TRIGGER chaos_refuses BEFORE INSERT ON chaos_entries",
    "COMMIT": "CREATE CONSTRAINT TRIGGER chaos_refuses AFTER INSERT ON chaos_entries DEFERRABLE INITIALLY DEFERRED",
}


async def play(stage: Stage) -> str:
    """Each number of failures is one deposit, which has one effect, one event, and N + 1 attempts."""
    if not stage.has_postgres:
        stage.left_out.append("injected_failures (SQLite has no 40001)")
        return "left out"
    database = await stage.postgres(accounts=1)
    failures = {"locked": (0, 1, 2, 3), "serializable": (1, 3) if not stage.full else (1, 2, 3, 5, 8, 10)}
    async with stage.service(database) as service:
        ledger = await deposit_in_spite_of(failures, database, service.url)
        stored = await ledger.check(database.driver_url)
    require(stored == len(ledger.acknowledged), f"{stored} stored, but {len(ledger.acknowledged)} acknowledged.")
    return f"{stored} deposits stored once after up to {max(failures['serializable'])} failures, {ledger.faults}"


async def deposit_in_spite_of(failures: Mapping[str, Sequence[int]], database: Database, url: str) -> Ledger:
    """One deposit for each number of failures, of each kind, at each place; what was answered."""
    ledger = Ledger()
    async with callers(url, 1) as people:
        for where in TRIGGERS:
            for kind, numbers in failures.items():
                for number in numbers:
                    await _refused(number, where, kind, database, people[0], ledger)
    return ledger


async def _refused(number: int, where: str, kind: str, database: Database, caller: Caller, ledger: Ledger) -> None:
    assert database.postgres is not None, "only a server refuses"
    await _refuse(database.postgres, database.name, number, where)
    entry = f"{kind} {where} {number}"
    answer = await caller.deposit(database.accounts[0], entry, kind)
    ledger.note(entry, answer)
    (row,) = await database.postgres.ask("SELECT last_value FROM chaos_attempts", database.name)
    enough = number < MOST_ATTEMPTS[kind]
    attempts = number + 1 if enough else MOST_ATTEMPTS[kind]
    require(row["last_value"] == attempts, f"{number} failures at {where} made {row['last_value']} attempts.")
    require(_told(answer, enough), f"{number} failures at {where} were answered {answer}.")


def _told(answer: Answer | None, succeeds: bool) -> bool:
    """Success, or when to come back."""
    if answer is None:
        return False
    return answer.status == 200 if succeeds else answer.status == 503 and answer.retry_after is not None


async def _refuse(server: Postgres, database: str, times: int, where: str) -> None:
    """From now on, so many inserts are refused. A sequence counts: it is not rolled back with what was refused."""
    for statement in (
        "DROP TRIGGER IF EXISTS chaos_refuses ON chaos_entries",
        "DROP SEQUENCE IF EXISTS chaos_attempts",
        "CREATE SEQUENCE chaos_attempts",
        f"""CREATE OR REPLACE FUNCTION chaos_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('chaos_attempts') <= {times} THEN RAISE 'chaos' USING ERRCODE = '40001'; END IF;
            RETURN NEW; END $$""",
        f"{TRIGGERS[where]} FOR EACH ROW EXECUTE FUNCTION chaos_refuse()",
    ):
        await server.ask(statement, database)
