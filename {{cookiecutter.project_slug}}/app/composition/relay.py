"""The relay: delivers committed events from the outbox to their handlers, independently for each handler."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from math import inf
from random import uniform
from time import monotonic

import structlog

from app.composition.deliveries import Deliveries
from app.composition.outages import Outages
from app.core.cqrs import EventRecord
from app.persistence.events.outbox import LEASE_SECONDS, Outbox
from app.persistence.events.reaction import Claimed, reason

DRAIN_SECONDS = 5.0
GIVE_BACK_SECONDS = 5.0

logger = structlog.get_logger(__name__)


class Relay:
    """Delivers the events of an outbox. Any number of relays, in any number of processes, may share one outbox.

    Each handler has a concurrency limit of its own, and the next event starts as soon as one ends. So a slow or failing
    handler does not delay the others.

    Args:
        outbox: the waiting events.
        deliver: passes an event to its handler. An error counts as a failed attempt.
        places: returns how many events a handler may process concurrently.
        poll_seconds: the longest time between two polls of the outbox when nothing wakes the relay.
        pausing: errors of `deliver` that pause its handler for a while, and do not count as failed attempts.
    """

    def __init__(
        self,
        outbox: Outbox,
        deliver: Callable[[Claimed], Awaitable[None]],
        *,
        places: Callable[[str], int],
        poll_seconds: float,
        pausing: tuple[type[Exception], ...] = (),
    ) -> None:
        self._outbox = outbox
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._quiet = asyncio.Event()
        self._looks_at = 0.0
        self._outages = Outages()
        self._deliveries = Deliveries(deliver, places, self._outages, self._woken.set, pausing)
        self._renewed_at = monotonic()
        self._ends_at = inf

    def add(self, records: Sequence[EventRecord]) -> None:
        """Wake the relay: these events were committed to the event log."""
        self.wake()

    def wake(self) -> None:
        """Poll the outbox at once, or at the end of the pause if the database is away."""
        self._looks_at = 0.0
        self._quiet.clear()
        self._woken.set()

    async def idle(self) -> None:
        """Wait until no event is left that could be processed now, or until the database is away."""
        if self._deliveries.stopping:
            return
        self.wake()
        await self._quiet.wait()

    async def finish(self) -> None:
        """Deliver due events for up to `DRAIN_SECONDS`. The rest stays in the database, so it is not lost."""
        self._ends_at = monotonic() + DRAIN_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.idle()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver events while the context is open. On exit, running deliveries are finished or given back.

        They have `DRAIN_SECONDS`, or what `finish` has left of them.
        """
        task = asyncio.create_task(self._run(), name="relay")
        try:
            yield
        finally:
            self._deliveries.stopping = True
            self.wake()
            await asyncio.wait([task])
            await self._end()

    async def _end(self) -> None:
        await self._deliveries.end(max(0.0, min(DRAIN_SECONDS, self._ends_at - monotonic())))
        if not self._deliveries.has_claims:
            return
        try:
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                await self._outbox.turn(self._deliveries.take_outcomes(), {})
                await self._outbox.give_back()
        except Exception as error:  # the lease expires, and another process claims the events
            logger.warning("claims_not_released", reason=reason(error))

    async def _run(self) -> None:
        while not self._deliveries.stopping:
            try:
                await self._turn()
            except Exception as error:  # nearly always of the database: no caller could handle it better
                self._looks_at = 0.0
                pause = self._outages.note("database", error)
                self._quiet.set()
                await asyncio.sleep(0 if self._deliveries.stopping else pause)
                continue
            self._outages.end("database")
            if self._looks_at and not self._deliveries.is_short:
                self._woken.clear()
                if not self._deliveries.tasks:
                    self._quiet.set()
                await self._rest()

    async def _rest(self) -> None:
        until = min(self._looks_at, self._deliveries.due_at)
        if self._deliveries.tasks:
            until = min(until, self._renewed_at + LEASE_SECONDS / 3)
        with suppress(TimeoutError):
            async with asyncio.timeout(until - monotonic()):
                await self._woken.wait()

    async def _turn(self) -> None:
        """Hand out new events if a poll is due, renew leases, store outcomes, claim due events and start handlers."""
        if monotonic() >= self._looks_at:
            self._looks_at = monotonic() + self._poll_seconds * uniform(0.5, 1)  # noqa: S311  # no secret
            if await self._outbox.hand_out():
                self._looks_at = 0.0
        if not self._deliveries.tasks:
            self._renewed_at = monotonic()
        elif monotonic() - self._renewed_at > LEASE_SECONDS / 3:
            await self._outbox.renew()
            self._renewed_at = monotonic()
        outcomes = self._deliveries.take_outcomes()
        try:
            claimed = await self._outbox.turn(outcomes, self._deliveries.free(self._outbox.names))
        except BaseException:
            self._deliveries.put_back(outcomes)
            raise
        self._deliveries.start(claimed)
