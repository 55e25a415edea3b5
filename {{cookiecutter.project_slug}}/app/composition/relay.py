"""The relay: delivers committed events from the outbox to their handlers, independently for each handler."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from math import ceil, inf
from random import uniform
from time import monotonic

import structlog

from app.core.broker import BrokerDownError
from app.core.cqrs import EventRecord
from app.persistence.events.outbox import LEASE_SECONDS, Outbox
from app.persistence.events.reaction import Claimed, Outcome, reason

LONGEST_OUTAGE_WAIT_SECONDS = 2.0
DRAIN_SECONDS = 5.0
GIVE_BACK_SECONDS = 5.0
AHEAD_SECONDS = 0.25
"""A handler has as many events prefetched as it processes in this time, and outcomes are stored within it."""
MOST_AHEAD_PER_PLACE = 25
"""What a relay has prefetched waits behind it, so few reactions do, and more publications, which are fast."""

logger = structlog.get_logger(__name__)


class Relay:
    """Delivers the events of an outbox. Any number of relays, in any number of processes, may share one outbox.

    Each handler has a concurrency limit of its own, and the next event starts as soon as one ends. So a slow or failing
    handler does not delay the others.

    Args:
        outbox: the waiting events.
        deliver: passes an event to its handler. An error counts as a failed attempt. Only a `BrokerDownError` does not:
            it pauses delivery to this handler.
        places: returns how many events a handler may process concurrently.
        poll_seconds: the longest time between two polls of the outbox when nothing wakes the relay.
    """

    def __init__(
        self,
        outbox: Outbox,
        deliver: Callable[[Claimed], Awaitable[None]],
        *,
        places: Callable[[str], int],
        poll_seconds: float,
    ) -> None:
        self._outbox = outbox
        self._deliver = deliver
        self._places = places
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._quiet = asyncio.Event()
        self._looks_at = 0.0
        self._ahead: defaultdict[str, deque[Claimed]] = defaultdict(deque)
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._busy: Counter[str] = Counter()
        self._outcomes: list[Outcome] = []
        self._stores_at = inf
        self._done: Counter[str] = Counter()
        self._pace: dict[str, int] = {}
        self._counted_at = monotonic()
        self._away_until: dict[str, float] = {}
        self._outages: Counter[str] = Counter()
        self._renewed_at = monotonic()
        self._stopping = False

    def add(self, records: Sequence[EventRecord]) -> None:
        """Wake the relay: these events were committed to the event log."""
        self.wake()

    def wake(self) -> None:
        """Poll the outbox now."""
        self._looks_at = 0.0
        self._quiet.clear()
        self._woken.set()

    async def idle(self) -> None:
        """Wait until no event is left that could be processed now."""
        if self._stopping:
            return
        self.wake()
        await self._quiet.wait()

    async def finish(self) -> None:
        """Deliver due events for up to `DRAIN_SECONDS`. The rest stays in the database, so it is not lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.idle()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver events while the context is open. On exit, running deliveries are finished or given back."""
        task = asyncio.create_task(self._run(), name="relay")
        try:
            yield
        finally:
            self._stopping = True
            self.wake()
            await asyncio.wait([task])
            await self._end()

    async def _end(self) -> None:
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        if not self._outcomes and not self._ahead:
            return
        try:
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                await self._outbox.turn(self._outcomes, {})
                await self._outbox.give_back()
        except Exception as error:  # the lease expires, and another process claims the events
            logger.warning("relay_gave_nothing_back", reason=reason(error))

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._turn()
            except Exception as error:  # any failure of the database: no caller could handle it better
                self._looks_at = 0.0
                self._note_outage("database", error)
                self._quiet.set()
                await self._wait_for_outage("database")
                continue
            self._note_end_of_outage("database")
            if self._looks_at and not any(map(self._is_short, self._outcomes)):
                self._woken.clear()
                if not self._tasks:
                    self._quiet.set()
                await self._rest()

    async def _rest(self) -> None:
        ends = min(self._looks_at, self._stores_at, *self._away_until.values())
        if self._tasks:
            ends = min(ends, self._renewed_at + LEASE_SECONDS / 3)
        with suppress(TimeoutError):
            async with asyncio.timeout(ends - monotonic()):
                await self._woken.wait()

    async def _turn(self) -> None:
        """Hand out new events, store outcomes, claim due events and start their handlers."""
        if monotonic() >= self._looks_at:
            self._looks_at = monotonic() + self._poll_seconds * uniform(0.5, 1)  # noqa: S311  # no secret
            if await self._outbox.hand_out():
                self._looks_at = 0.0
        if not self._tasks:
            self._renewed_at = monotonic()
        elif monotonic() - self._renewed_at > LEASE_SECONDS / 3:
            await self._outbox.renew()
            self._renewed_at = monotonic()
        outcomes, self._outcomes, self._stores_at = self._outcomes, [], inf
        try:
            claimed = await self._outbox.turn(outcomes, self._free())
        except BaseException:
            self._outcomes = outcomes + self._outcomes
            raise
        for one in claimed:
            self._ahead[one.handler].append(one)
        for handler in {one.handler for one in claimed}:
            self._fill(handler)

    def _free(self) -> dict[str, int]:
        """How many more events to claim for each handler: up to its concurrency limit, and a prefetch if it is fast."""
        now = monotonic()
        self._away_until = {handler: until for handler, until in self._away_until.items() if until > now}
        if (seconds := now - self._counted_at) > AHEAD_SECONDS:
            self._pace = {handler: ceil(done * AHEAD_SECONDS / seconds) for handler, done in self._done.items()}
            self._done.clear()
            self._counted_at = now
        return {
            handler: self._places(handler)
            + min(MOST_AHEAD_PER_PLACE * self._places(handler), max(self._done[handler], self._pace.get(handler, 0)))
            - self._busy[handler]
            - len(self._ahead[handler])
            for handler in self._outbox.names
            if handler not in self._away_until
        }

    def _fill(self, handler: str) -> None:
        """Start prefetched events of a handler, up to its concurrency limit."""
        ahead = self._ahead[handler]
        while ahead and self._busy[handler] < self._places(handler) and not self._stopping:
            task = asyncio.create_task(self._handle(ahead.popleft()), name=f"reaction {handler}")
            self._tasks[task] = handler
            self._busy[handler] += 1
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        handler = self._tasks.pop(task)
        self._busy[handler] -= 1
        self._fill(handler)
        if not self._ahead[handler]:
            self._woken.set()

    def _is_short(self, outcome: Outcome) -> bool:
        return not self._ahead[outcome.claimed.handler]

    async def _handle(self, claimed: Claimed) -> None:
        if claimed.handler in self._away_until:
            self._note(Outcome(claimed, is_given_back=True))
            return
        try:
            await self._deliver(claimed)
        except BrokerDownError as error:
            self._note(Outcome(claimed, is_given_back=True))
            self._note_outage(claimed.handler, error)
            self._away_until[claimed.handler] = monotonic() + self._outage_wait(claimed.handler)
        except asyncio.CancelledError:
            self._note(Outcome(claimed, is_given_back=True))
            raise
        except Exception as error:
            self._note(Outcome(claimed, error))
            logger.error("event_failed", **claimed.failure(), exc_info=error)
        else:
            self._note(Outcome(claimed))
            self._done[claimed.handler] += 1
            self._note_end_of_outage(claimed.handler)

    def _note(self, outcome: Outcome) -> None:
        """Buffer an outcome: it is stored within `AHEAD_SECONDS`, in a batch with others."""
        if not self._outcomes:
            self._stores_at = monotonic() + AHEAD_SECONDS
            asyncio.get_running_loop().call_later(AHEAD_SECONDS, self._woken.set)
        self._outcomes.append(outcome)

    def _outage_wait(self, what: str) -> float:
        longest = min(0.1 * 2.0 ** min(self._outages[what], 10), LONGEST_OUTAGE_WAIT_SECONDS)
        return uniform(0.5, 1) * longest  # noqa: S311  # no secret

    async def _wait_for_outage(self, what: str) -> None:
        if not self._stopping:
            await asyncio.sleep(self._outage_wait(what))

    def _note_outage(self, what: str, error: Exception) -> None:
        """Count a failure; the first one of an outage is logged."""
        if not self._outages[what]:
            logger.error("relay_cannot_deliver", to=what, reason=reason(error), exc_info=error)
        self._outages[what] += 1

    def _note_end_of_outage(self, what: str) -> None:
        if self._outages.pop(what, 0):
            logger.info("relay_delivers_again", to=what)
