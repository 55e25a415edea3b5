"""Servers from the installed programs, on free ports, with folders of their own."""

import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from tests.chaos.oracle import Violation, until
from tests.chaos.programs import Program, free_port

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class MissingError(Exception):
    """A server is not installed; the sentence says which program was looked for."""


class Server(ABC):
    """One server. Its port and its data outlive a restart; the folder is the caller's to remove."""

    name: ClassVar[str]
    fast: ClassVar[signal.Signals] = signal.SIGTERM
    immediate: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.port = free_port()
        self.program = Program(self.arguments(), self.folder / "log", self.env(), self.folder, self.user())

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it."""

    @abstractmethod
    def arguments(self) -> Sequence[str]:
        """The program, and what it is told.

        Raises:
            MissingError: it is not installed.
        """

    @abstractmethod
    async def ready(self) -> bool:
        """Whether it takes clients."""

    def env(self) -> Mapping[str, str]:
        """The environment it runs in."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}

    def user(self) -> str | None:
        """Who it runs as; None: whoever runs chaos."""
        return None

    async def start(self) -> None:
        """Start it, and wait until it takes clients.

        Raises:
            Violation: it does not within a minute.
        """
        try:
            await until(self._started, f"{self.name} is to start", START_SECONDS)
        except Violation as late:
            raise Violation(f"{late} It said: {self.program.last_words()}") from late

    async def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """End it: in good order, or by dropping everything."""
        await self.program.end(self.fast if how == "fast" else self.immediate, STOP_SECONDS)

    async def kill(self) -> None:
        """kill -9."""
        await self.program.end(signal.SIGKILL, STOP_SECONDS)

    async def restart(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it and start it again, on the same port with the same data."""
        await self.stop(how)
        await self.start()

    async def remove(self) -> None:
        """End it for good."""
        await self.program.end(self.immediate, STOP_SECONDS)

    async def _started(self) -> bool:
        # After a kill -9 the first try may meet what is left of the killed one.
        if not self.program.running:
            await self.program.start()
        return await self.ready()


def installed(program: str, *folders: str) -> str:
    """The path of a program, in these folders or on the PATH.

    Raises:
        MissingError: it is not installed.
    """
    found = shutil.which(program, path=os.pathsep.join([*filter(None, folders), os.environ["PATH"]]))
    if found is None:
        raise MissingError(f"{program} is not installed")
    return found
