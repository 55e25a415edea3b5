"""Workers as processes of their own, which can be killed."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self
from uuid import uuid4

from tests.chaos import bank, worker
from tests.chaos.callers import START_SECONDS, environment_of
from tests.chaos.oracle import Violation, until
from tests.chaos.programs import Program
from tests.chaos.stage import Database, Stage

STOP_SECONDS = 60.0
PACKAGES = bank.PACKAGES
TAKE_OVER_SECONDS = 5.0


class WorkerProcess:
    """A worker on a database. What it was sent and does not finish, others get after 5 s; FULL: 30 s."""

    def __init__(self, stage: Stage, database: Database, packages: Sequence[str], settings: dict[str, Any]) -> None:
        name = f"worker-{uuid4().hex}"
        self._ready = stage.folder / f"{name}.ready"
        env = environment_of(database.of_process(**settings))
        if not stage.full:
            env[worker.TAKE_OVER] = str(TAKE_OVER_SECONDS)
        arguments = [sys.executable, "-m", worker.__name__, str(self._ready), *packages]
        self.program = Program(arguments, stage.folder / f"{name}.log", env, stage.folder)

    async def start(self) -> Self:
        """Start it, and wait until it works."""
        self._ready.unlink(missing_ok=True)
        await self.program.start()

        async def works() -> bool:
            if not self.program.running:
                raise Violation(f"A worker does not start: {self.program.last_words()}")
            return self._ready.exists()

        await until(works, "A worker is to start", START_SECONDS)
        return self

    async def kill(self) -> None:
        """kill -9."""
        await self.program.end(signal.SIGKILL, STOP_SECONDS)

    async def stop(self) -> None:
        """End it in good order."""
        await self.program.end(signal.SIGTERM, STOP_SECONDS)


@asynccontextmanager
async def workers(
    stage: Stage,
    database: Database,
    how_many: int,
    packages: Sequence[str] = PACKAGES,
    **settings: Any,
) -> AsyncIterator[list[WorkerProcess]]:
    """So many workers, which are started all at once and ended at the end."""
    started = [WorkerProcess(stage, database, packages, settings) for _ in range(how_many)]
    try:
        await asyncio.gather(*(process.start() for process in started))
        yield started
    finally:
        await asyncio.gather(*(process.stop() for process in started))
