"""Named locks across processes, as leases in Redis. While Redis is down, they exclude no other process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

from app.adapters.redis_link import RedisLink
from app.adapters.redis_scripts import RELEASE, TAKE, TAKEN

TURN_MS = 3000
"""Lease of a lock: another process may take it afterwards, since the owner may be dead."""
LOOK_AGAIN_SECONDS = 0.01


class RedisTurns:
    """Acquires locks by name."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._take, self._release = map(link.client.register_script, (TAKE, RELEASE))

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[bool]:
        """Hold the lock of this name while the context is open. Yields whether another owner had to be waited for."""
        owner, waited = token_hex(8), False
        try:
            while await self._link.ask(self._take, [name], [owner, TURN_MS]) == TAKEN:
                waited = True
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            yield waited
        finally:
            await self._link.ask(self._release, [name], [owner])
