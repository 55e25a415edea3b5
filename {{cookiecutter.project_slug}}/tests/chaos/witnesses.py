"""Brokers of chaos, and what lies at them, read by somebody who has nothing to do with the service."""

import tempfile
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import ClassVar, TypeVar

from tests.chaos.deliveries import Arrival
from tests.chaos.servers import Server
from tests.chaos.stage import Stage

TOPIC = "events"


@dataclass(frozen=True)
class Load:
    """How much is done to a broker, and for how long it is away."""

    events: int
    kills: int
    outage_seconds: float


class BrokerServer(Server):
    """A broker, as those see it that have its client and nothing else."""

    drops_duplicates: ClassVar[bool] = False
    """Whether it keeps an event once that it gets twice."""
    load: ClassVar[Load] = Load(400, 2, 1)
    full_load: ClassVar[Load] = Load(4_000, 8, 15)

    async def keep_everything(self) -> None:
        """Let it forget nothing that was consumed."""

    async def is_known(self, group: str) -> None:
        """Wait until a group gets what is published."""

    @abstractmethod
    async def arrived(self) -> list[Arrival]:
        """Every message from the first to the last."""


B = TypeVar("B", bound=BrokerServer)


def kinds() -> list[type[BrokerServer]]:
    """The brokers that chaos can start."""
    files = sorted(Path(__file__).parent.glob("broker_*.py"))
    return [import_module(f"tests.chaos.{file.stem}").KIND for file in files]


@asynccontextmanager
async def broker(stage: Stage, kind: type[B]) -> AsyncIterator[B]:
    """A broker of this kind, where nobody has been yet.

    Raises:
        MissingError: it is not installed.
    """
    server = kind(Path(tempfile.mkdtemp(dir=stage.folder)))
    try:
        await server.start()
        await server.keep_everything()
        yield server
    finally:
        await server.remove()
