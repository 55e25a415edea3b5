"""The commands of an operator, as they are typed."""

import asyncio
import sys

from tests.chaos.callers import environment_of
from tests.chaos.oracle import require
from tests.chaos.stage import Database, Stage

COMMAND_SECONDS = 60.0


async def operator(stage: Stage, database: Database, *words: str) -> str:
    """What `app` says to these words.

    Raises:
        Violation: it failed.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment_of(database.of_process()),
        cwd=stage.folder,
    )
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            said, complained = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    require(process.returncode == 0, f"`app {' '.join(words)}` failed: {complained.decode()}")
    return said.decode()
