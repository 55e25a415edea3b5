"""Events that cannot be delivered: they wait with a reason, the others flow, and after the cure they are too."""

import asyncio

from tests.chaos.stage import Stage
from tests.chaos.ward import ACCOUNTS, Ward


async def play(stage: Stage) -> str:
    """With the reactions in the relay's process."""
    databases = [database async for database in stage.databases(ACCOUNTS)]
    return "; ".join(await asyncio.gather(*(Ward(stage, database).play() for database in databases)))
