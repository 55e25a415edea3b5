"""Events that JetStream does not take, and a message that nobody can read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.js import JetStreamContext

from tests.chaos.batches import Depositor
from tests.chaos.broker_nats import Nats
from tests.chaos.servers import MissingError
from tests.chaos.stage import Database, Stage
from tests.chaos.ward import ACCOUNTS, UNHAPPY, Ward
from tests.chaos.witnesses import TOPIC, broker

LARGEST_MESSAGE = 100_000
REFUSED = "MessageRefusedError: "


async def play(stage: Stage) -> str:
    """With JetStream in between."""
    if not stage.has_postgres:
        stage.left_out.append("poison_behind_nats (PostgreSQL)")
        return "left out"
    try:
        async with broker(stage, Nats) as server, jetstream(server.url) as stream:
            return await WardBehindJetStream(stage, await stage.postgres(ACCOUNTS), server.url, stream).play()
    except MissingError as missing:
        stage.left_out.append(f"poison_behind_nats ({missing})")
        return "left out"


@asynccontextmanager
async def jetstream(url: str) -> AsyncIterator[JetStreamContext]:
    """The administrator of JetStream."""
    client = await nats.connect(url)
    try:
        yield client.jetstream()
    finally:
        await client.close()


class WardBehindJetStream(Ward):
    """Also a message that nobody can read, which is passed over, and one that is too large for the stream."""

    name = "behind nats"
    reasons = (UNHAPPY, REFUSED)
    poisoned = 4

    def __init__(self, stage: Stage, database: Database, broker_url: str, stream: JetStreamContext) -> None:
        super().__init__(stage, database, broker_url=broker_url)
        self._stream = stream

    async def prepare(self) -> None:
        """Somebody has set a limit, and somebody sends what they should not."""
        await self._stream.add_stream(name=TOPIC, subjects=[f"{TOPIC}.>"], max_msg_size=LARGEST_MESSAGE)
        ours = {"event-id": "1", "event-key": "odd", "event-type": "odd"}
        await self._stream.publish(f"{TOPIC}.odd", b"\xff", headers=ours)

    async def commit_poison(self, depositor: Depositor) -> None:
        """And one that is too large."""
        await super().commit_poison(depositor)
        await depositor.send([(self.spare, "x" * LARGEST_MESSAGE), (self.spare, "behind large")])

    async def cure(self) -> None:
        """The limit goes."""
        await super().cure()
        config = (await self._stream.stream_info(TOPIC)).config
        await self._stream.update_stream(config, max_msg_size=-1)
