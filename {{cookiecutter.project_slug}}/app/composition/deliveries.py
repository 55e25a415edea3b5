"""The events that a relay has claimed: those it prefetched, those being handled, and the outcomes to be stored."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from math import inf
from time import monotonic

import structlog

from app.composition import pace
from app.composition.outages import Outages
from app.persistence.events.reaction import Claimed, Outcome

logger = structlog.get_logger(__name__)


class Deliveries:
    """Passes claimed events to their handlers, each within its own concurrency limit.

    Args:
        deliver: passes an event to its handler.
        places: returns how many events a handler may process concurrently.
        outages: logs outages, and says how long to wait in each.
        wake: called when outcomes are to be stored, or a handler has nothing left to do.
        pausing: errors of `deliver` that pause delivery to the handler, and are no failed attempts.
    """

    def __init__(
        self,
        deliver: Callable[[Claimed], Awaitable[None]],
        places: Callable[[str], int],
        outages: Outages,
        wake: Callable[[], None],
        pausing: tuple[type[Exception], ...],
    ) -> None:
        self._pausing = pausing
        self._deliver, self._places, self._outages, self._wake = deliver, places, outages, wake
        self._ahead: defaultdict[str, deque[Claimed]] = defaultdict(deque)
        self.tasks: dict[asyncio.Task[None], str] = {}
        self._busy: Counter[str] = Counter()
        self._outcomes: list[Outcome] = []
        self._stores_at = inf
        self._pace = pace.Pace()
        self._away_until: dict[str, float] = {}
        self.stopping = False

    def free(self, handlers: Iterable[str]) -> dict[str, int]:
        """How many more events to claim for each handler: up to its concurrency limit, and a prefetch if it is fast."""
        now = monotonic()
        self._away_until = {handler: until for handler, until in self._away_until.items() if until > now}
        self._pace.measure()
        return {
            handler: self._places(handler)
            + self._pace.ahead(handler, self._places(handler))
            - self._busy[handler]
            - len(self._ahead[handler])
            for handler in handlers
            if handler not in self._away_until
        }

    def start(self, claimed: Sequence[Claimed]) -> None:
        """Start as many as the limits allow; the rest is prefetched."""
        for one in claimed:
            self._ahead[one.handler].append(one)
        for handler in {one.handler for one in claimed}:
            self._fill(handler)

    def take_outcomes(self) -> list[Outcome]:
        """The outcomes to store now."""
        outcomes, self._outcomes, self._stores_at = self._outcomes, [], inf
        return outcomes

    def put_back(self, outcomes: list[Outcome]) -> None:
        """Keep outcomes that could not be stored."""
        self._outcomes = outcomes + self._outcomes

    @property
    def has_claims(self) -> bool:
        """Whether events were ever asked for: then some may be claimed, even if no answer came."""
        return bool(self._ahead)

    @property
    def is_short(self) -> bool:
        """Whether a handler with an outcome to store has no prefetched event, so that the next turn must not wait."""
        return any(not self._ahead[outcome.claimed.handler] for outcome in self._outcomes)

    @property
    def due_at(self) -> float:
        """When outcomes must be stored, or an unavailable handler is tried again."""
        return min(self._stores_at, *self._away_until.values(), inf)

    async def end(self, seconds: float) -> None:
        """Let running deliveries finish; those that take longer are cancelled, and given back."""
        if self.tasks:
            _, late = await asyncio.wait(self.tasks, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _fill(self, handler: str) -> None:
        """Start prefetched events of a handler, up to its concurrency limit."""
        ahead = self._ahead[handler]
        while ahead and self._busy[handler] < self._places(handler) and not self.stopping:
            task = asyncio.create_task(self._handle(ahead.popleft()), name=f"reaction {handler}")
            self.tasks[task] = handler
            self._busy[handler] += 1
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        handler = self.tasks.pop(task)
        self._busy[handler] -= 1
        self._fill(handler)
        if not self._ahead[handler]:
            self._wake()

    async def _handle(self, claimed: Claimed) -> None:
        if claimed.handler in self._away_until:
            self._note(Outcome(claimed, is_given_back=True))
            return
        try:
            await self._deliver(claimed)
        except self._pausing as error:
            self._note(Outcome(claimed, is_given_back=True))
            self._away_until[claimed.handler] = monotonic() + self._outages.note(claimed.handler, error)
        except asyncio.CancelledError:
            self._note(Outcome(claimed, is_given_back=True))
            raise
        except Exception as error:
            self._note(Outcome(claimed, error))
            logger.error("event_failed", **claimed.failure(), exc_info=error)
        else:
            self._note(Outcome(claimed))
            self._pace.count(claimed.handler)
            self._outages.end(claimed.handler)

    def _note(self, outcome: Outcome) -> None:
        """Buffer an outcome: it is stored within `AHEAD_SECONDS`, in a batch with others."""
        if not self._outcomes:
            self._stores_at = monotonic() + pace.AHEAD_SECONDS
            asyncio.get_running_loop().call_later(pace.AHEAD_SECONDS, self._wake)
        self._outcomes.append(outcome)
