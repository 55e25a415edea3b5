"""RabbitMQ for chaos."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import aio_pika
from aio_pika.exceptions import AMQPError

from tests.chaos.deliveries import Arrival
from tests.chaos.oracle import until
from tests.chaos.programs import free_port, greets
from tests.chaos.servers import installed
from tests.chaos.witnesses import TOPIC, BrokerServer, Load

AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
EVERYTHING = "everything"
READ_SECONDS = 10.0
KNOWN_SECONDS = 30.0


class RabbitMq(BrokerServer):
    """RabbitMQ, as a node of its own, with the Erlang port mapper that it starts."""

    name = "rabbitmq"
    load = Load(300, 2, 1)

    def __init__(self, folder: Path) -> None:
        self._node_port, self._mapper_port = free_port(), free_port()
        super().__init__(folder)
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{self.port}\n")

    @property
    def url(self) -> str:
        """The server."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def arguments(self) -> Sequence[str]:
        """Debian's wrapper would change to a user of its own, so the script behind it is preferred."""
        return [installed("rabbitmq-server", "/usr/lib/rabbitmq/bin")]

    def env(self) -> Mapping[str, str]:
        """Nothing of the machine's own RabbitMQ: neither its files nor its ports."""
        files = {"CONFIG_FILE": "rabbitmq.conf", "MNESIA_BASE": "data", "LOG_BASE": "logs", "CONF_ENV_FILE": "no.conf"}
        files |= {"ENABLED_PLUGINS_FILE": "plugins", "PID_FILE": "pid", "GENERATED_CONFIG_DIR": "config"}
        return {
            **super().env(),
            **{f"RABBITMQ_{name}": str(self.folder / file) for name, file in files.items()},
            "RABBITMQ_NODENAME": f"chaos{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    async def ready(self) -> bool:
        """Whether it opens a conversation."""
        return await greets(self.port, AMQP_HEADER, b"\x01")

    async def remove(self) -> None:
        """End it for good, and its port mapper, which is no child of it."""
        await super().remove()
        ended = await asyncio.create_subprocess_exec(installed("epmd"), "-kill", env=dict(self.env()), stdout=-3)
        await ended.wait()

    async def keep_everything(self) -> None:
        """RabbitMQ forgets what was consumed, so a second queue gets everything too."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange(TOPIC, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(EVERYTHING, durable=True, arguments={"x-queue-type": "quorum"})
            await queue.bind(exchange, "#")

    async def is_known(self, group: str) -> None:
        """Wait until a group consumes: RabbitMQ keeps messages only for those that it knows of."""

        async def consumes() -> bool:  # and not only has a queue: that is declared before it is bound
            try:
                async with await aio_pika.connect(self.url) as connection:
                    queue = await (await connection.channel()).get_queue(f"{TOPIC}.{group}")
            except AMQPError:
                return False
            return bool(queue.declaration_result.consumer_count)

        await until(consumes, f"{group} is to consume", KNOWN_SECONDS)

    async def arrived(self) -> list[Arrival]:
        """The messages of that queue."""
        async with await aio_pika.connect(self.url) as connection:
            queue = await (await connection.channel()).get_queue(EVERYTHING)
            messages = queue.declaration_result.message_count or 0
            async with queue.iterator(no_ack=True, timeout=READ_SECONDS) as reader:
                return [Arrival.read((await anext(reader)).body) for _ in range(messages)]


KIND = RabbitMq
