"""How a relay in another process learns of a commit at once: PostgreSQL's NOTIFY. Elsewhere it looks now and then."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.cqrs import CQRSError, EventRecord
from app.persistence.engine.database import Database

logger = structlog.get_logger(__name__)

CHANNEL = "event_log"
RECONNECT_SECONDS = 1.0
PAUSE_SECONDS = 0.1
"""Between two rings; each takes as long as half a write."""


class Bell:
    """Tells the relays of other processes that events were committed.

    It rings after the commit, and once for many: NOTIFY in a transaction would let commits happen only one by one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._again = False
        self._ringing: asyncio.Task[None] | None = None

    def add(self, records: Sequence[EventRecord]) -> None:
        """These are in the log."""
        self._again = True
        if not self._database.is_sqlite and (self._ringing is None or self._ringing.done()):
            self._ringing = asyncio.create_task(self._ring(), name="event-bell")

    async def idle(self) -> None:
        """Wait until it was rung; what others do then is not known here."""
        if self._ringing is not None:
            await asyncio.wait([self._ringing])

    finish = idle

    async def _ring(self) -> None:
        while self._again:
            self._again = False
            with suppress(CQRSError):  # then they look for themselves
                async with self._database.relaying_engine.begin() as connection:
                    await connection.execute(text(f"NOTIFY {CHANNEL}"))
            await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def listening(database: Database, wake: Callable[[], None]) -> AsyncIterator[None]:
    """Call `wake` when another process has rung, for as long as the context is open.

    Nobody can listen behind a pooler, where LISTEN would stay on a connection that others get.
    """
    if database.is_pooled:
        logger.info("listening_left_out", reason="DATABASE_POOLER is set: this looks every RELAY_POLL_SECONDS.")
    if database.is_sqlite or database.is_pooled:
        yield
        return
    task = asyncio.create_task(_listen(database.relaying_engine, wake), name="event-listener")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _listen(engine: AsyncEngine, wake: Callable[[], None]) -> None:
    while True:
        try:
            await _listen_once(engine, wake)
        except (CQRSError, OSError):
            pass  # an outage, which the relay tells of; until this listens again it looks for itself
        except Exception:  # the driver's own errors are not translated
            logger.exception("listening_failed")
        await asyncio.sleep(RECONNECT_SECONDS)


async def _listen_once(engine: AsyncEngine, wake: Callable[[], None]) -> None:
    gone = asyncio.Event()
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_termination_listener(lambda *_: gone.set())
        try:
            await driver.add_listener(CHANNEL, lambda *_: wake())
            wake()  # for what was missed
            await gone.wait()
        finally:
            await connection.invalidate()
