"""Events that nobody can deliver, and what is to become of them, of those behind them, and of all others."""

from typing import Any

from sqlalchemy import delete, insert, select

from app.composition.container import running_service
from app.persistence.event_tables import reactions
from tests.chaos import bank, batches, complaints, labels
from tests.chaos.batches import Depositor
from tests.chaos.commands import operator
from tests.chaos.deliveries import all_caused_once, check_order_of_effects, counted, drained, looking
from tests.chaos.labels import LabelAccount
from tests.chaos.oracle import require, until
from tests.chaos.stage import Database, Stage
from tests.chaos.workers import workers

ACCOUNTS = 20
PARKED_SECONDS = 120.0
DRAINED_SECONDS = 60.0
OLD = (*bank.PACKAGES, complaints.__name__)
NEW = (*OLD, labels.__name__)
UNHAPPY = "ValueError: This deposit is refused here."


class Ward:
    """A reaction that always raises, and an event whose class is gone: that one waits for a process that knows it."""

    name = "in process"
    reasons: tuple[str, ...] = (UNHAPPY,)
    poisoned = 2
    """How many events of the poisoned accounts the other handler has all the same."""

    def __init__(self, stage: Stage, database: Database, **settings: Any) -> None:
        self.stage = stage
        self.database = database
        self._settings = {"event_max_attempts": 3, "event_retry_seconds": 0.05, **settings}
        self._unhappy, self._labelled, self.spare, *self._healthy = database.accounts
        self._events = stage.size(200, 2_000)

    async def play(self) -> str:
        """See them fail, cure them, and see them delivered."""
        async with looking(self.database) as connection:
            await connection.execute(insert(complaints.grudges).values(entry="complaint"))
        await self.prepare()
        async with workers(self.stage, self.database, 1, packages=OLD, **self._settings):
            await self._commit()
            await self._parked()
        await self.cure()
        async with workers(self.stage, self.database, 1, packages=NEW, **self._settings):
            await operator(self.stage, self.database, "outbox", "replay", "--all")
            await drained(self.database, DRAINED_SECONDS)
            await all_caused_once(self.database, DRAINED_SECONDS)
            await check_order_of_effects(self.database)
        kind, parked = self.database.kind, len(self.reasons)
        return f"{kind} {self.name} {parked} parked with a reason, {self._events} others flowed, all after replay"

    async def prepare(self) -> None:
        """Before there is a worker."""

    async def _commit(self) -> None:
        """The poison comes first, then what waits behind it, and then the others."""
        writing = self.database.settings(relay_in_service=False)
        async with running_service(writing, [*bank.PACKAGES, batches.__name__, labels.__name__]) as service:
            depositor = Depositor(service.bus, self._healthy, self.stage.random)
            (await service.bus.execute_command(LabelAccount(self._labelled, "label"))).unwrap()
            await self.commit_poison(depositor)
            await depositor.send([(self._labelled, "behind label")])
            await depositor.commit(self._events)

    async def commit_poison(self, depositor: Depositor) -> None:
        """What cannot be delivered, and something behind it."""
        await depositor.send([(self._unhappy, "complaint"), (self._unhappy, "behind complaint")])

    async def _parked(self) -> None:
        """Each is dead for its reason at its handler, what is behind it waits there, and nothing else does."""
        flowing = self._events + self.poisoned

        async def as_it_should_be() -> bool:
            return sorted(await self._dead_reasons()) == sorted(self.reasons) and await self._caused() >= flowing

        try:
            await until(as_it_should_be, "Poison is to be parked", PARKED_SECONDS)
        finally:
            caused, reasons = await self._caused(), await self._dead_reasons()
            require(caused == flowing, f"{caused} effects instead of {flowing}; parked: {reasons}.")

    async def _dead_reasons(self) -> list[str]:
        """Why events are dead, as far as it is known beforehand."""
        dead = select(reactions.c.last_error).where(reactions.c.dead)
        async with looking(self.database) as connection:
            told = [reason or "" for reason in (await connection.execute(dead)).scalars()]
        return [next((known for known in self.reasons if reason.startswith(known)), reason) for reason in told]

    async def _caused(self) -> int:
        async with looking(self.database) as connection:
            return await counted(connection, bank.effects.c.place)

    async def cure(self) -> None:
        """What an operator does about it, apart from starting a version that knows all events."""
        async with looking(self.database) as connection:
            await connection.execute(delete(complaints.grudges))
