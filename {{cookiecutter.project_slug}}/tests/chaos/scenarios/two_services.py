"""Two services side by side, with nothing but their names to tell them apart: neither has what belongs to the other.

They share a database server, a Redis, a SECRET_KEY, the broker and its topic; and each hears what the other tells.
"""

import json
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from signal import SIGTERM
from typing import Any

from sqlalchemy import func, select

from tests.caches import redis_to_hurt
from tests.chaos import beside
from tests.chaos.callers import environment_of
from tests.chaos.deliveries import looking
from tests.chaos.neighbour import NEIGHBOUR, effects
from tests.chaos.oracle import Violation, require, until
from tests.chaos.programs import Program
from tests.chaos.servers import MissingError, Server
from tests.chaos.stage import Database, Stage
from tests.chaos.witnesses import BrokerServer, broker, kinds

NAMES = ("north", "south")
EFFECTS_SECONDS = 60.0
STOP_SECONDS = 60.0
START_SECONDS = 60.0


async def play(stage: Stage) -> str:
    """With one kind of broker after the other."""
    if not stage.has_postgres:
        stage.left_out.append("two_services (they share a database server)")
        return "left out"
    lines = []
    for kind in kinds():
        try:
            async with AsyncExitStack() as stack:
                between = await stack.enter_async_context(broker(stage, kind))
                cache = await stack.enter_async_context(redis_to_hurt(Path(tempfile.mkdtemp(dir=stage.folder))))
                lines.append(await _side_by_side(stage, stack, between, cache))
        except MissingError as missing:
            stage.left_out.append(f"two_services on {kind.name} ({missing})")
    return "; ".join(lines)


async def _side_by_side(stage: Stage, stack: AsyncExitStack, between: BrokerServer, cache: Server) -> str:
    shared: dict[str, Any] = {"broker_url": between.url, "cache_url": cache.url}
    seconds = stage.size(5, 60)
    both = {
        name: await _start(stage, stack, name, other, seconds, shared)
        for name, other in zip(NAMES, reversed(NAMES), strict=True)
    }
    for name, each in both.items():
        await each.is_ready()
        await between.is_known(name)
    for each in both.values():
        each.begin()
    told = {name: await each.told(seconds) for name, each in both.items()}
    for name, other in zip(NAMES, reversed(NAMES), strict=True):
        expected = {"own": told[name], "whispered": told[name], "neighbour": told[other]}
        await both[name].has_effects(expected)
    return f"{between.name} {' and '.join(map(str, told.values()))} in {seconds} s, 0 foreign effects, 0 lost"


async def _start(
    stage: Stage, stack: AsyncExitStack, name: str, other: str, seconds: float, shared: dict[str, Any]
) -> "Beside":
    database = await stage.postgres(accounts=0)
    each = Beside(stage, name, other, database, seconds, shared)
    await each.program.start()
    stack.push_async_callback(each.program.end, SIGTERM, STOP_SECONDS)
    return each


class Beside:
    """One of the two, as a process of its own."""

    def __init__(
        self, stage: Stage, name: str, other: str, database: Database, seconds: float, shared: dict[str, Any]
    ) -> None:
        folder = Path(tempfile.mkdtemp(dir=stage.folder))
        self.name = name
        self._database = database
        self._ready, self._begin, self._done = folder / "ready", folder / "begin", folder / "done"
        env = environment_of(database.of_process(service_name=name, **shared)) | {NEIGHBOUR: other}
        arguments = [sys.executable, "-m", beside.__name__, str(seconds), str(folder)]
        self.program = Program(arguments, folder / "log", env, folder)

    async def is_ready(self) -> None:
        """Wait until it has started."""

        async def ready() -> bool:
            self._goes_on()
            return self._ready.exists()

        await until(ready, f"{self.name} is to start", START_SECONDS)

    def begin(self) -> None:
        """Let it work."""
        self._begin.touch()

    def _goes_on(self) -> None:
        require(self.program.running, f"{self.name} has ended: {self.program.last_words()}")

    async def told(self, seconds: float) -> int:
        """How much it has done, when it is through.

        Raises:
            Violation: it ended before, or was given an answer of the other one.
        """

        async def through() -> bool:
            self._goes_on()
            return self._done.exists() and bool(self._done.read_text())

        await until(through, f"{self.name} is to be through", START_SECONDS + seconds)
        said: dict[str, int] = json.loads(self._done.read_text())
        require(not said["foreign"], f"{self.name} was given {said['foreign']} answers of the other one.")
        require(said["done"] > 0, f"{self.name} has done nothing.")
        return said["done"]

    async def has_effects(self, expected: dict[str, int]) -> None:
        """Wait until it has had every event once that it should have, and none else.

        Raises:
            Violation: it has not, or has had others.
        """
        counting = select(effects.c.source, func.count(), func.count(effects.c.entry.distinct())).group_by(
            effects.c.source
        )
        async with looking(self._database) as connection:

            async def all_had() -> bool:
                found = {source: number for source, number, _ in (await connection.execute(counting)).all()}
                return all(found.get(source, 0) >= number for source, number in expected.items())

            with suppress(Violation):  # what it has had is said below
                await until(all_had, f"{self.name} is to have {expected}", EFFECTS_SECONDS)
            rows = (await connection.execute(counting)).all()
        found = {source: (number, different) for source, number, different in rows}
        wanted = {source: (number, number) for source, number in expected.items()}
        require(found == wanted, f"{self.name} has had {found}, and not {wanted}.")
