"""A Redis of chaos."""

import os
import shutil
import signal
from collections.abc import Sequence

from tests.chaos.programs import greets
from tests.chaos.servers import Server, installed


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
