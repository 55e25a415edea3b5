"""The relay: takes events that were committed from the log, and has them delivered as soon as it can."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from random import uniform

import structlog

from app.core.broker import BrokerDownError
from app.core.cqrs import EventRecord
from app.persistence.outbox import Claimed, Outbox, reason
from app.persistence.stored_event import StoredEvent

LONGEST_TURN_SECONDS = 10.0
"""After that nothing more is begun before it is stored what was delivered."""

LONGEST_OUTAGE_WAIT_SECONDS = 2.0
DRAIN_SECONDS = 5.0

logger = structlog.get_logger(__name__)


class Relay:
    """Delivers the events of an outbox. Any number of relays, in any number of processes, may share one.

    Args:
        outbox: where events wait.
        deliver: takes one event to its receivers. What it raises counts against the event, unless it is a
            `BrokerDownError`: then everything waits.
        at_once: how many aggregates it works for at the same time.
        poll_seconds: how often it looks without being woken.
    """

    def __init__(
        self,
        outbox: Outbox,
        deliver: Callable[[StoredEvent], Awaitable[None]],
        *,
        at_once: int,
        poll_seconds: float,
    ) -> None:
        self._outbox = outbox
        self._deliver = deliver
        self._places = asyncio.Semaphore(at_once)
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._quiet = asyncio.Event()
        self._outages = 0
        self._stopping = False

    def add(self, records: Sequence[EventRecord]) -> None:
        """These are in the log."""
        self.wake()

    def wake(self) -> None:
        """Look for events now."""
        self._quiet.clear()
        self._woken.set()

    async def idle(self) -> None:
        """Wait until there is nothing that could be delivered now."""
        if self._stopping:
            return
        self.wake()
        await self._quiet.wait()

    async def finish(self) -> None:
        """Deliver what is due, for a few seconds; the rest is in the log and not lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.idle()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver for as long as the context is open; what was begun is finished."""
        task = asyncio.create_task(self._run(), name="relay")
        try:
            yield
        finally:
            self._stopping = True
            self.wake()
            await asyncio.wait([task], timeout=DRAIN_SECONDS)
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            if await self._turn():
                continue
            if not self._woken.is_set():
                self._quiet.set()
            await self._rest()

    async def _rest(self) -> None:
        if self._outages:  # commits go on meanwhile: they are no reason to try sooner
            await asyncio.sleep(uniform(0.5, 1) * min(0.1 * 2.0 ** min(self._outages, 10), LONGEST_OUTAGE_WAIT_SECONDS))  # noqa: S311
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds * uniform(0.5, 1)):  # noqa: S311  # no secret
                await self._woken.wait()

    async def _turn(self) -> bool:
        """Deliver some of what is due; whether there may be more."""
        outage: Exception | None
        more = False
        try:
            async with self._outbox.claim() as claimed:
                outage = await self._deliver_all(claimed)
            more = outage is None and (bool(claimed.failed) or not claimed.is_all)
        except Exception as error:  # the database's, whatever it is: there is nobody above who could do better
            outage = error
        self._note(outage)
        return more

    async def _deliver_all(self, claimed: Claimed) -> Exception | None:
        """Deliver what was claimed, of each aggregate one after the other; what is in the way of everything."""
        outages: list[Exception] = []
        ends = time.monotonic() + LONGEST_TURN_SECONDS

        async def deliver_stream(stream: list[StoredEvent]) -> None:
            async with self._places:
                for event in stream:
                    if outages or self._stopping or time.monotonic() > ends:
                        return
                    try:
                        await self._deliver(event)
                    except BrokerDownError as error:
                        outages.append(error)
                        return
                    except Exception as error:
                        claimed.failed.append((event, error))
                        _say_failed(event, error)
                        return
                    claimed.delivered.append(event.id)

        async with asyncio.TaskGroup() as group:
            for stream in claimed.streams:
                group.create_task(deliver_stream(stream))
        return outages[0] if outages else None

    def _note(self, outage: Exception | None) -> None:
        """Say once that nothing can be delivered, and once that it can again."""
        if outage is None and self._outages:
            logger.info("relay_delivers_again")
        elif outage is not None and not self._outages:
            logger.error("relay_cannot_deliver", reason=reason(outage), exc_info=outage)
        self._outages = 0 if outage is None else self._outages + 1


def _say_failed(event: StoredEvent, error: Exception) -> None:
    logger.error(
        "event_failed",
        event_type=event.event_type,
        event_id=str(event.id),
        attempts=event.attempts + 1,
        operation_id=event.metadata.get("operation_id"),
        traceparent=event.metadata.get("traceparent"),
        exc_info=error,
    )
