"""`make chaos`: break what the service stands on while it works, and see that nothing is lost or done twice.

FULL=1 does as much as is promised, ONLY=name one scenario, SEED=n what a run before did.
"""

import asyncio
import importlib
import logging
import os
import pkgutil
import random
import secrets
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from app.core.logging import configure_logging
from tests.chaos.oracle import Violation
from tests.chaos.stage import Stage

SCENARIOS = "tests.chaos.scenarios"
LONGEST_SECONDS = {False: 8 * 60.0, True: 75 * 60.0}
Scenario = Callable[[Stage], Awaitable[str]]


def found(only: str) -> dict[str, Scenario]:
    """The scenarios by name, in the order of the alphabet: present means active."""
    folder = importlib.import_module(SCENARIOS).__path__
    names = sorted(module.name for module in pkgutil.iter_modules(folder))
    chosen = [name for name in names if only in ("", name)]
    if not chosen:
        sys.exit(f"There is no scenario {only}; there are {', '.join(names)}.")
    return {name: importlib.import_module(f"{SCENARIOS}.{name}").play for name in chosen}


async def play_all(chosen: dict[str, Scenario], seed: int, full: bool) -> int:
    """Play the scenarios; how many were violated. Everything that was started is gone afterwards."""
    violated = 0
    with workplace() as folder:
        async with AsyncExitStack() as stack:
            stage = Stage(folder, full, random.Random(seed), stack)
            await stage.open()
            for name, play in chosen.items():
                stage.random.seed(f"{seed} {name}")  # a scenario does the same alone as after others
                violated += not await played(name, play, stage)
            for what in stage.left_out:
                say(f"left out: {what}")
    return violated


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder that is gone afterwards, and that PostgreSQL may enter, which runs as another user than root."""
    with tempfile.TemporaryDirectory(prefix="chaos") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def say(line: str) -> None:
    """Print a line, now."""
    print(line, flush=True)  # noqa: T201


async def played(name: str, play: Scenario, stage: Stage) -> bool:
    """Play one scenario and print how it went; whether all oracles held."""
    started = time.monotonic()
    try:
        figures, held = await play(stage), True
    except Exception as error:
        figures, held = f"VIOLATED: {first_of(error)}", False
        if not isinstance(first_of(error), Violation):  # a mistake, here or in the service
            traceback.print_exception(error)
    say(f"{name:<22} {figures}  [{time.monotonic() - started:.1f} s]")
    return held


def first_of(group: BaseException) -> BaseException:
    """The first error in a group, which may be of groups."""
    return first_of(group.exceptions[0]) if isinstance(group, BaseExceptionGroup) else group


async def main() -> int:
    """Do as the environment says; the exit code."""
    full = os.environ.get("FULL", "") not in ("", "0")
    seed = int(os.environ.get("SEED") or secrets.randbelow(1_000_000))
    configure_logging()
    logging.disable()  # scenarios make errors on purpose, and oracles read no logs
    say(f"SEED={seed}{' FULL=1' if full else ''}")
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "this runs in a task"
    for ending in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(ending, task.cancel)
    started = time.monotonic()
    async with asyncio.timeout(LONGEST_SECONDS[full]):
        violated = await play_all(found(os.environ.get("ONLY", "")), seed, full)
    say(f"{violated or 'No'} scenarios violated an oracle, in {time.monotonic() - started:.0f} s.")
    return 1 if violated else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except Violation as violation:  # of a server that does not even start
        sys.exit(str(violation))
    except TimeoutError:
        sys.exit("Chaos took too long: the deadline for all of it has passed.")
    except asyncio.CancelledError:
        sys.exit(130)
