"""The recording that `tracked` makes of a bus."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from app.core.cqrs import CQRSBus, DomainEvent, EventRecord
from app.core.cqrs.tasks import background_of
from app.core.cqrs.testing.noted import Handled, Sent


class TrackedRun:
    """What happened on a bus while it was tracked. Messages and reactions are listed in the order of their start."""

    def __init__(self, bus: CQRSBus) -> None:
        self._bus = bus
        self._something_ended = False
        self.sent: list[Sent] = []
        """Commands and queries, sent from outside or by handlers."""
        self.recorded: list[EventRecord] = []
        """The event records that were committed to the event log."""
        self.published: list[DomainEvent] = []
        """The committed events; on a bus without units of work, the published events."""
        self.reactions: list[Handled] = []
        """The runs of event handlers."""

    @property
    def handled(self) -> dict[type[DomainEvent], list[str]]:
        """Event type -> the names of the handlers that completed; empty for an event without any.

        Each handler is listed once per event: a handler skips a redelivered event that it already processed.
        """
        names: dict[type[DomainEvent], list[str]] = defaultdict(list)
        ended = [one for one in self.reactions if one.error is None and not one.is_running]
        once = {(one.event.event_id, one.handler): type(one.event) for one in ended}
        for (_, handler), event_type in once.items():
            names[event_type].append(handler.__name__)
        return names

    @property
    def failures(self) -> list[Handled]:
        """The reactions that failed; with @retry_on_failure, after their last attempt."""
        return [one for one in self.reactions if one.error is not None]

    async def quiet(self, timeout_seconds: float = 5.0) -> None:
        """Wait until messages are answered, background work is done, and reactions have run, with all that they cause.

        Raises:
            TimeoutError: if that takes longer; the message lists what is still running.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._nothing_running()
        except TimeoutError:
            left = "; ".join(self._unfinished()) or "something from before the run is not settled"
            raise TimeoutError(f"Not quiet after {timeout_seconds:g} s: {left}.") from None

    async def _nothing_running(self) -> None:
        """Wait for reactions again whenever something ends, because it may have committed further events."""
        while True:
            self._something_ended = False
            await self._bus.settled()
            if not (self._something_ended or self._running() or self._bus.running):
                return
            await asyncio.sleep(0.001)

    def _running(self) -> list[Sent | Handled]:
        entries: list[Sent | Handled] = [*self.sent, *self.reactions]
        return [entry for entry in entries if entry.is_running]

    def _unfinished(self) -> Iterator[str]:
        yield from map(str, self._running())
        yield from (f"the {task.get_name()} is running" for task in background_of(self._bus))
        begun = {(one.event.event_id, one.handler) for one in self.reactions}
        for record in self.recorded:
            for plan in self._bus.reactions_of(type(record.event)):
                if (record.event.event_id, plan.handler_type) not in begun:
                    yield f"{plan.handler_type.__name__} has not begun with {record.event_type}"

    @contextmanager
    def noting_the_end_of(self, entry: Sent | Handled) -> Iterator[None]:
        """Record in the entry how the block inside ends."""
        try:
            yield
        except BaseException as error:
            entry.error = error
            raise
        finally:
            entry.is_running = False
            self._something_ended = True
