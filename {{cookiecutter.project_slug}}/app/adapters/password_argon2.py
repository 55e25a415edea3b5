"""Hashes passwords with Argon2 in a thread pool: a hash is slow and takes much memory on purpose."""

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
"""Limit of hashes in progress and queued. One takes about 0.1 s in production, so a caller waits about 3 s at most."""


@asynccontextmanager
async def open_hasher(settings: Settings) -> AsyncIterator[PasswordHasher]:
    """The hasher, with one thread for each hash that may be computed at once."""
    argon2 = Argon2Hasher(
        time_cost=settings.password_time_cost, memory_cost=settings.password_memory_kib, parallelism=1
    )
    with ThreadPoolExecutor(settings.password_hashes_at_once, "argon2") as threads:
        most = HASHES_FOR_EACH_THREAD * settings.password_hashes_at_once
        hasher = Argon2PasswordHasher(PasswordHash((argon2,)), threads, most)
        await hasher.prepare()
        yield hasher


class Argon2PasswordHasher:
    """Hashes outside the event loop. Callers queue for a free thread, up to a limit.

    Args:
        hashing: the algorithm and its parameters.
        threads: the pool that computes the hashes.
        most: the maximum number of hashes in progress and queued; each waiting caller may hold a database connection.
    """

    def __init__(self, hashing: PasswordHash, threads: ThreadPoolExecutor, most: int) -> None:
        self._hashing = hashing
        self._threads = threads
        self._most = most
        self._asked = 0
        self._decoy = ""

    async def prepare(self) -> None:
        """Compute the decoy hash that is verified for users who do not exist."""
        self._decoy = await self.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """The hash of a password, with a salt of its own."""
        return await self._in_thread(lambda: self._hashing.hash(password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the password matches the hash. None never matches, but takes as long as one of the present cost."""
        matches = await self._in_thread(lambda: self._hashing.verify(password, password_hash or self._decoy))
        return matches and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether a hash that matched was made with other parameters than the present ones."""
        return self._hashing.current_hasher.check_needs_rehash(password_hash)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._asked >= self._most:
            raise ServiceUnavailableError("Too many passwords are being checked, try again in a moment.")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._asked -= 1
