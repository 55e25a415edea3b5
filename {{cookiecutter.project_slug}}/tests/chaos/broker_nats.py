"""NATS JetStream for chaos."""

from collections.abc import Sequence
from datetime import datetime

import nats
from nats.aio.msg import Msg

from tests.chaos.deliveries import Arrival
from tests.chaos.oracle import require
from tests.chaos.programs import greets
from tests.chaos.servers import installed
from tests.chaos.witnesses import TOPIC, BrokerServer, Load

READ_SECONDS = 10.0


class Nats(BrokerServer):
    """NATS with JetStream."""

    name = "nats"
    drops_duplicates = True
    load = Load(1_500, 6, 4)
    full_load = Load(20_000, 40, 60)

    @property
    def url(self) -> str:
        """The server."""
        return f"nats://127.0.0.1:{self.port}"

    def arguments(self) -> Sequence[str]:
        """It keeps its streams in files."""
        told = f"-js -a 127.0.0.1 -p {self.port}"
        return [installed("nats-server"), *told.split(), "-sd", str(self.folder)]

    async def ready(self) -> bool:
        """Whether it introduces itself."""
        return await greets(self.port, b"", b"INFO ")

    async def arrived(self) -> list[Arrival]:
        """Each under the id that JetStream knows duplicates by."""
        messages = await self._messages()
        events = [Arrival.read(message.data) for message in messages]
        told = [(message.headers or {}).get("Nats-Msg-Id") for message in messages]
        require(told == [str(event.id) for event in events], "Messages have another Nats-Msg-Id than their events.")
        return events

    async def stored_at(self) -> list[datetime]:
        """When JetStream stored each message, by its clock, from the first to the last."""
        return [message.metadata.timestamp for message in await self._messages()]

    async def _messages(self) -> list[Msg]:
        client = await nats.connect(self.url)
        try:
            stream = client.jetstream()
            state = (await stream.stream_info(TOPIC)).state
            reader = await stream.subscribe(f"{TOPIC}.>", ordered_consumer=True)
            return [await reader.next_msg(READ_SECONDS) for _ in range(state.messages)]
        finally:
            await client.close()


KIND = Nats
