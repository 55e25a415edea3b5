"""What callers were told, held against what the database has."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from uuid import UUID

from sqlalchemy import NullPool, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.persistence.event_tables import event_log
from tests.chaos.bank import accounts, effects, entries
from tests.chaos.callers import Answer
from tests.chaos.deposited import Deposited
from tests.chaos.oracle import Violation, require
from tests.chaos.stage import Database, Stage

NEXT_EFFECT_SECONDS = 40.0
BETWEEN_LOOKS_SECONDS = 0.1


@dataclass
class Ledger:
    """Each entry was acknowledged, refused, or nobody knows. 5xx says nothing about what was done."""

    acknowledged: dict[str, bytes] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)

    def note(self, entry: str, answer: Answer | None) -> None:
        """Write down what a caller was told about an entry; None: nothing.

        Raises:
            Violation: two callers were told two things.
        """
        self.statuses[0 if answer is None else answer.status] += 1
        if answer is not None and answer.status < 300:
            known = self.acknowledged.setdefault(entry, answer.body)
            require(known == answer.body, f"{entry} was answered {known!r} and then {answer.body!r}.")
            self.unknown.discard(entry)
        elif entry not in self.acknowledged:
            (self.refused if answer is not None and answer.status < 500 else self.unknown).add(entry)

    @property
    def faults(self) -> str:
        """How often something else than success was answered."""
        failed = {status or "no answer": times for status, times in sorted(self.statuses.items()) if status != 200}
        return ", ".join(f"{times} x {status}" for status, times in failed.items()) or "no failures"

    async def check(self, database_url: str) -> int:
        """Hold it against the database of a service that runs, and delivers events.

        Args:
            database_url: with a driver, as SQLAlchemy wants it.

        Returns:
            How many deposits are stored.

        Raises:
            Violation: something was lost, or done that should not have been, or done twice.
        """
        engine = create_async_engine(database_url, poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                stored = await self._check_entries(connection)
                ids = await _check_events(connection, stored)
            await _all_have_effect(engine, ids)
        finally:
            await engine.dispose()
        return len(stored)

    async def _check_entries(self, connection: AsyncConnection) -> list[str]:
        stored = list((await connection.execute(select(entries.c.entry))).scalars())
        twice = [entry for entry, times in Counter(stored).items() if times > 1]
        require(not twice, f"{len(twice)} deposits happened more than once: {twice[:3]}.")
        lost = self.acknowledged.keys() - set(stored)
        require(not lost, f"{len(lost)} acknowledged deposits are not stored: {sorted(lost)[:3]}.")
        invented = set(stored) - self.acknowledged.keys() - self.unknown
        require(not invented, f"{len(invented)} deposits are stored that nobody promised: {sorted(invented)[:3]}.")
        return stored


async def _check_events(connection: AsyncConnection, stored: list[str]) -> set[UUID]:
    """One event for each entry, numbered without a gap in each account; and the balances agree."""
    wanted = select(event_log.c.id, event_log.c.aggregate_id, event_log.c.version, event_log.c.payload)
    rows = (await connection.execute(wanted.where(event_log.c.event_type == Deposited.event_type))).all()
    told = sorted(row.payload["entry"] for row in rows)
    require(told == sorted(stored), f"There are {len(rows)} events of {len(stored)} deposits, or they differ.")
    versions: dict[str, list[int]] = {}
    for row in rows:
        versions.setdefault(row.aggregate_id, []).append(row.version)
    for account in (await connection.execute(select(accounts))).all():
        numbers = sorted(versions.pop(str(account.id), []))
        if numbers != list(range(1, account.version + 1)) or account.balance != account.version:
            raise Violation(f"Account {account.id}: balance {account.balance}, and {len(numbers)} events.")
    require(not versions, "There are events of accounts that do not exist.")
    return {row.id for row in rows}


async def _all_have_effect(engine: AsyncEngine, ids: set[UUID]) -> None:
    """Wait until every event has had its effect, for as long as there are more and more of them.

    Raises:
        Violation: one had two, or there is an effect without an event, or no more come.
    """
    had, ends = 0, time.monotonic() + NEXT_EFFECT_SECONDS
    while True:
        async with engine.connect() as connection:
            seen = list((await connection.scalars(select(effects.c.event_id))).all())
        require(len(seen) == len(set(seen)), f"{len(seen) - len(set(seen))} events had their effect more than once.")
        require(set(seen) <= ids, f"{len(set(seen) - ids)} effects have no event.")
        if len(seen) == len(ids):
            return
        if len(seen) > had:
            had, ends = len(seen), time.monotonic() + NEXT_EFFECT_SECONDS
        require(time.monotonic() < ends, f"{had} of {len(ids)} events had their effect, and no more for a while.")
        await asyncio.sleep(BETWEEN_LOOKS_SECONDS)


@dataclass
class Play:
    """What happens on one database, to a service whose callers count their entries."""

    stage: Stage
    database: Database
    dice: Random
    ledger: Ledger = field(default_factory=Ledger)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
