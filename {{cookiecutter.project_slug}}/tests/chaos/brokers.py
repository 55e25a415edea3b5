"""The message brokers for chaos: Redis, NATS and RabbitMQ."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.programs import free_port, greets
from tests.chaos.servers import Server, installed

AMQP_HEADER = b"AMQP\x00\x00\x09\x01"


class Redis(Server):
    """Redis, which writes each command to its file before it answers."""

    name = "redis"

    @property
    def url(self) -> str:
        """The server."""
        return f"redis://127.0.0.1:{self.port}/0"

    def arguments(self) -> Sequence[str]:
        """It keeps a file of what was done."""
        told = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --save  --daemonize no"
        return [installed("redis-server"), *told.split(" "), "--dir", str(self.folder)]

    async def ready(self) -> bool:
        """Whether it has read its file."""
        return await greets(self.port, b"PING\r\n", b"+PONG")

    def fall_silent(self) -> None:
        """SIGSTOP: its connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def speak(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def lose_everything(self) -> None:
        """Remove its file; it must not be running."""
        shutil.rmtree(self.folder / "appendonlydir")

    def _signal(self, what: signal.Signals) -> None:
        assert self.program.pid is not None, "it was started"
        os.kill(self.program.pid, what)


class Nats(Server):
    """NATS with JetStream."""

    name = "nats"

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


class RabbitMq(Server):
    """RabbitMQ, as a node of its own, with the Erlang port mapper that it starts."""

    name = "rabbitmq"

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
