"""Wakes relays of other processes after a commit, by PostgreSQL's NOTIFY. Otherwise they wait for the next poll."""

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
"""Minimum time between two NOTIFYs of one process: each costs half as much as a write, so they are coalesced."""


class Bell:
    """Notifies the relays of other processes that events were committed.

    The `Delivery` of a process without a relay; a process with one wakes only its own. One NOTIFY is sent after many
    commits: inside each transaction, it would serialise the commits.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._again = False
        self._ringing: asyncio.Task[None] | None = None

    def add(self, records: Sequence[EventRecord]) -> None:
        """Schedule a NOTIFY on PostgreSQL: these events were committed to the event log."""
        self._again = True
        if not self._database.is_sqlite and (self._ringing is None or self._ringing.done()):
            self._ringing = asyncio.create_task(self._ring(), name="event-bell")

    async def idle(self) -> None:
        """Wait until a scheduled NOTIFY was sent, but not for the relays that it wakes."""
        if self._ringing is not None:
            await asyncio.wait([self._ringing])

    finish = idle

    async def _ring(self) -> None:
        while self._again:
            self._again = False
            with suppress(CQRSError):  # the relays poll anyway
                async with self._database.relaying_engine.begin() as connection:
                    await connection.execute(text(f"NOTIFY {CHANNEL}"))
            await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def listening(database: Database, wake: Callable[[], None]) -> AsyncIterator[None]:
    """Call `wake` at each NOTIFY, for as long as the context is open.

    Behind a transaction pooler it does nothing: LISTEN would stay on a server connection that other clients get next.
    """
    if database.is_pooled:
        logger.info("listening_left_out", reason="DATABASE_POOLER is set: the relay polls every RELAY_POLL_SECONDS.")
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
            pass  # an outage, which the relay logs; the relay polls until the listener has reconnected
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
            wake()  # notifications before LISTEN were missed
            await gone.wait()
        finally:
            await connection.invalidate()
