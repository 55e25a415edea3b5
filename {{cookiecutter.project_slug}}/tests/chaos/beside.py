"""A service beside another: `python -m tests.chaos.beside SECONDS FOLDER`, with its SERVICE_NAME and its NEIGHBOUR's.

It says that it is `ready` and waits until it may `begin`, both by a file in the folder. Then for so long it does
something and tells of it, hears what its neighbour tells, and asks what it is called, which is kept in a cache. What it
did is in the file `done` when it has. It goes on hearing until SIGTERM.
"""

import asyncio
import json
import signal
import sys
import time
from functools import partial
from itertools import count
from pathlib import Path

from app.composition.container import HANDLERS, running_service
from app.core.config import load_settings
from app.core.cqrs import CQRSBus
from app.core.logging import configure_logging
from tests.chaos import neighbour
from tests.chaos.neighbour import Ask, Greet
from tests.chaos.oracle import until

PAUSE_SECONDS = 0.01
BEGIN_SECONDS = 60.0


async def greet(bus: CQRSBus, name: str, seconds: float) -> dict[str, int]:
    """Work for so long; how often something was done, and how often it was told another's answer."""
    done = foreign = 0
    ends = time.monotonic() + seconds
    for number in count(1):
        if time.monotonic() > ends:
            break
        command = Greet(f"{number}")
        command.metadata.idempotency_key = f"key {number}"
        foreign += (await bus.execute_command(command)).unwrap() != f"{name} {number}"
        foreign += (await bus.execute_query(Ask())).unwrap() != name
        done = number
        await asyncio.sleep(PAUSE_SECONDS)
    return {"done": done, "foreign": foreign}


async def exists(file: Path) -> bool:
    """Whether somebody has made it."""
    return file.exists()  # noqa: ASYNC240  # nothing else runs here that could wait for it


async def main(seconds: float, folder: Path) -> None:
    """Live for a while."""
    settings, over = load_settings(), asyncio.Event()
    configure_logging(level=settings.log_level)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with running_service(settings, (HANDLERS, neighbour.__name__), worker=True) as me:
        (folder / "ready").touch()
        await until(partial(exists, folder / "begin"), "The other one is to be ready", BEGIN_SECONDS)
        told = await greet(me.bus, settings.service_name, seconds)
        (folder / "done").write_text(json.dumps(told))
        await over.wait()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), Path(sys.argv[2])))
