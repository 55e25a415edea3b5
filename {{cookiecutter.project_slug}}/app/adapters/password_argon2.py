"""Password hashes by Argon2, in threads of their own: a hash takes long and much memory on purpose."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.core.config import Settings
from app.core.cqrs import ServiceUnavailableError
from app.domain.ports import PasswordHasher

T = TypeVar("T")
HASHES_FOR_EACH_THREAD = 30
"""One takes about a tenth of a second in production, so nobody waits much longer than three."""


@asynccontextmanager
async def open_hasher(settings: Settings) -> AsyncIterator[PasswordHasher]:
    """The hasher, with as many threads as hashes may be made at once."""
    argon2 = Argon2Hasher(
        time_cost=settings.password_time_cost, memory_cost=settings.password_memory_kib, parallelism=1
    )
    with ThreadPoolExecutor(settings.password_hashes_at_once, "argon2") as threads:
        most = HASHES_FOR_EACH_THREAD * settings.password_hashes_at_once
        hasher = Argon2PasswordHasher(PasswordHash((argon2,)), threads, most)
        await hasher.prepare()
        yield hasher


class Argon2PasswordHasher:
    """Hashes away from the event loop; who finds all threads taken waits, if not too many do.

    Args:
        hashing: how passwords are hashed.
        threads: where.
        most: how many hashes may be made or waited for; each who waits may hold a connection to the database.
    """

    def __init__(self, hashing: PasswordHash, threads: ThreadPoolExecutor, most: int) -> None:
        self._hashing = hashing
        self._threads = threads
        self._most = most
        self._asked = 0
        self._decoy = ""

    async def prepare(self) -> None:
        """Make the hash that stands in for users who do not exist."""
        self._decoy = await self.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """The hash of a password, with a salt of its own."""
        return await self._in_thread(lambda: self._hashing.hash(password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether this is the password of that hash; for no hash it takes as long, and it is not."""
        matches = await self._in_thread(lambda: self._hashing.verify(password, password_hash or self._decoy))
        return matches and password_hash is not None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._asked >= self._most:
            raise ServiceUnavailableError("Too many passwords are being checked, try again in a moment.")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._asked -= 1
