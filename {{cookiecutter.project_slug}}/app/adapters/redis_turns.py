"""Turns among processes: of several that want to do the same, one does it at a time, while Redis is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

from app.adapters.redis_link import RedisLink
from app.adapters.redis_scripts import RELEASE, TAKE, TAKEN

TURN_MS = 3000
"""After so long it is another's turn: the one who has it may be dead."""
LOOK_AGAIN_SECONDS = 0.01


class RedisTurns:
    """Turns to do things, by name."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._take, self._release = map(link.client.register_script, (TAKE, RELEASE))

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[bool]:
        """To be done inside; whether somebody else's turn had to be waited for."""
        owner, waited = token_hex(8), False
        try:
            while await self._link.ask(self._take, [name], [owner, TURN_MS]) == TAKEN:
                waited = True
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            yield waited
        finally:
            await self._link.ask(self._release, [name], [owner])
