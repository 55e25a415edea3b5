"""Events that cannot be delivered: they are parked with a reason, the others flow, and after the cure they are too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.js import JetStreamContext
from sqlalchemy import delete, insert, select

from app.core.container import running_service
from app.persistence.tables import event_log, parked_events
from tests.chaos import bank, batches, complaints, labels
from tests.chaos.batches import Depositor
from tests.chaos.brokers import Nats
from tests.chaos.commands import operator
from tests.chaos.deliveries import all_caused_once, check_order_of_effects, counted, drained, looking
from tests.chaos.labels import LabelAccount
from tests.chaos.oracle import require, until
from tests.chaos.servers import MissingError
from tests.chaos.stage import Database, Stage
from tests.chaos.witnesses import TOPIC, broker
from tests.chaos.workers import workers

ACCOUNTS = 20
LARGEST_MESSAGE = 100_000
PARKED_SECONDS = 30.0
DRAINED_SECONDS = 30.0
OLD = (bank.__name__, complaints.__name__)
NEW = (*OLD, labels.__name__)
UNHAPPY, UNKNOWN, UNREADABLE, REFUSED = (
    "ValueError: This deposit is refused here.",
    "UnreadableEventError: No class reads the event chaos.Labelled",
    "UnreadableEventError: The message is not an event of ours.",
    "MessageRefusedError: ",
)


async def play(stage: Stage) -> str:
    """With the reactions in the relay's process, and with JetStream in between."""
    databases = [database async for database in stage.databases(ACCOUNTS)]
    lines = await asyncio.gather(*(Ward(stage, database).play() for database in databases))
    try:
        if stage.has_postgres:
            async with broker(stage, Nats) as server, jetstream(server.url) as stream:
                lines.append(await WardBehindJetStream(stage, await stage.postgres(ACCOUNTS), server.url, stream).play())
    except MissingError as missing:
        stage.left_out.append(f"poison behind a broker ({missing})")
    return "; ".join(lines)


@asynccontextmanager
async def jetstream(url: str) -> AsyncIterator[JetStreamContext]:
    """The administrator of JetStream."""
    client = await nats.connect(url)
    try:
        yield client.jetstream()
    finally:
        await client.close()


class Ward:
    """A reaction that always raises, and an event whose class is gone."""

    name = "in process"
    reasons: tuple[str, ...] = (UNHAPPY, UNKNOWN)

    def __init__(self, stage: Stage, database: Database, broker_url: str = "") -> None:
        self._stage = stage
        self._database = database
        self._settings = {"broker_url": broker_url, "event_max_attempts": 3, "event_retry_seconds": 0.05}
        self._unhappy, self._labelled, self._large, *self._healthy = database.accounts
        self._events = stage.size(200, 2_000)

    async def play(self) -> str:
        """See them fail, cure them, and see them delivered."""
        async with looking(self._database) as connection:
            await connection.execute(insert(complaints.grudges).values(entry="complaint"))
        async with workers(self._stage, self._database, 1, packages=OLD, **self._settings):
            await self._prepare()
            await self._commit()
            await self._parked()
        await self._cure()
        async with workers(self._stage, self._database, 1, packages=NEW, **self._settings):
            await operator(self._stage, self._database, "outbox", "replay", "--all")
            await drained(self._database, DRAINED_SECONDS)
            await all_caused_once(self._database, DRAINED_SECONDS)
            await check_order_of_effects(self._database)
        kind, parked = self._database.kind, len(self.reasons)
        return f"{kind} {self.name} {parked} parked with a reason, {self._events} others flowed, all after replay"

    async def _prepare(self) -> None:
        """Before anything is committed."""

    async def _commit(self) -> None:
        """The poison comes first, then what waits behind it, and then the others."""
        writing = self._database.settings(relay_in_service=False)
        async with running_service(writing, [bank.__name__, batches.__name__, labels.__name__]) as service:
            depositor = Depositor(service.bus, self._healthy, self._stage.random)
            (await service.bus.execute_command(LabelAccount(self._labelled, "label"))).unwrap()
            await self._commit_poison(depositor)
            await depositor.send([(self._labelled, "behind label")])
            await depositor.commit(self._events)

    async def _commit_poison(self, depositor: Depositor) -> None:
        await depositor.send([(self._unhappy, "complaint"), (self._unhappy, "behind complaint")])

    async def _parked(self) -> None:
        """Each is dead for its reason, what is behind it waits, and nothing else does."""
        flowing = self._events + 1  # one reaction to the complaint is content

        async def as_it_should_be() -> bool:
            return sorted(await self._dead_reasons()) == sorted(self.reasons) and await self._caused() >= flowing

        try:
            await until(as_it_should_be, "Poison is to be parked", PARKED_SECONDS)
        finally:
            caused, reasons = await self._caused(), await self._dead_reasons()
            require(caused == flowing, f"{caused} effects instead of {flowing}; parked: {reasons}.")

    async def _dead_reasons(self) -> list[str]:
        """Why events are dead, as far as it is known beforehand."""
        dead = [select(table.c.last_error).where(table.c.dead) for table in (event_log, parked_events)]
        async with looking(self._database) as connection:
            told = [reason for each in dead for reason in (await connection.execute(each)).scalars()]
        return [next((known for known in self.reasons if reason.startswith(known)), reason) for reason in told]

    async def _caused(self) -> int:
        async with looking(self._database) as connection:
            return await counted(connection, bank.effects.c.place)

    async def _cure(self) -> None:
        """What an operator does about it, apart from starting a version that knows all events."""
        async with looking(self._database) as connection:
            await connection.execute(delete(complaints.grudges))


class WardBehindJetStream(Ward):
    """Also a message that nobody can read, and one that is too large for the stream."""

    name = "behind nats"
    reasons = (UNHAPPY, UNKNOWN, UNREADABLE, REFUSED)

    def __init__(self, stage: Stage, database: Database, broker_url: str, stream: JetStreamContext) -> None:
        super().__init__(stage, database, broker_url)
        self._stream = stream

    async def _prepare(self) -> None:
        """Somebody has set a limit, and somebody sends what they should not: with our headers, and without."""
        config = (await self._stream.stream_info(TOPIC)).config
        await self._stream.update_stream(config, max_msg_size=LARGEST_MESSAGE)
        ours = {"event-id": "1", "event-key": "odd", "event-type": "odd"}
        await self._stream.publish(f"{TOPIC}.odd", b"\xff", headers=ours)
        await self._stream.publish(f"{TOPIC}.odd", b"\xff")

    async def _commit_poison(self, depositor: Depositor) -> None:
        await super()._commit_poison(depositor)
        await depositor.send([(self._large, "x" * LARGEST_MESSAGE), (self._large, "behind large")])

    async def _cure(self) -> None:
        """The limit goes, and what nobody can read is given up."""
        await super()._cure()
        config = (await self._stream.stream_info(TOPIC)).config
        await self._stream.update_stream(config, max_msg_size=-1)
        async with looking(self._database) as connection:
            unreadable = await connection.scalar(select(parked_events.c.id).where(parked_events.c.event_type == "odd"))
        await operator(self._stage, self._database, "outbox", "purge", str(unreadable), "--yes")
