"""What `tracked` tells about a run."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from app.core.cqrs.aggregate import EventRecord
from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.errors import CQRSError
from app.core.cqrs.messages import DomainEvent, ICommand, IQuery, name_of
from app.core.cqrs.results import OperationResult
from app.core.cqrs.status import OperationStatus


@dataclass(eq=False)
class Sent:
    """A command or query that entered the bus, and how it ended."""

    message: ICommand[Any] | IQuery[Any]
    is_nested: bool = False
    """Whether a handler waits for it, so that it is part of the same work."""
    result: OperationResult[Any] | None = None
    error: BaseException | None = None
    """What it raised instead of a result, as it does inside a handler."""
    is_running: bool = True

    @property
    def status(self) -> OperationStatus | None:
        """How it ended; None while it runs."""
        if self.result is not None:
            return self.result.status
        if isinstance(self.error, CQRSError):
            return self.error.status
        return None if self.error is None else OperationStatus.FAILED

    def __str__(self) -> str:
        return f"{name_of(self.message)} is running"


@dataclass(eq=False)
class Handled:
    """One reaction to an event, in a transaction or after it, and what went wrong in it."""

    event: DomainEvent
    handler: str
    """The name of the handler's class."""
    error: BaseException | None = None
    is_running: bool = True

    def __str__(self) -> str:
        return f"{self.handler} is running for {self.event.event_type}"


class TrackedRun:
    """What happened on a bus while it was tracked, each list in the order in which things began."""

    def __init__(self, bus: CQRSBus) -> None:
        self._bus = bus
        self._something_ended = asyncio.Event()
        self.sent: list[Sent] = []
        """Commands and queries, sent from outside and by handlers."""
        self.recorded: list[EventRecord] = []
        """What was committed to the event log."""
        self.published: list[DomainEvent] = []
        """The events that were committed, and those that were published outside of a transaction."""
        self.reactions: list[Handled] = []
        """What the handlers of events did."""

    @property
    def handled(self) -> dict[type[DomainEvent], list[str]]:
        """Event type -> the names of the handlers that ran to their end; none where nobody reacted."""
        names: dict[type[DomainEvent], list[str]] = defaultdict(list)
        for reaction in self.reactions:
            if not reaction.is_running and reaction.error is None:
                names[type(reaction.event)].append(reaction.handler)
        return names

    @property
    def failures(self) -> list[Handled]:
        """The reactions that failed; one that is retried fails when its last attempt did."""
        return [reaction for reaction in self.reactions if reaction.error is not None]

    async def quiet(self, timeout_seconds: float = 5.0) -> None:
        """Wait until every message is answered, and every reaction has run, with what they send in turn.

        Raises:
            TimeoutError: that takes longer; it says what is still running.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._nothing_running()
        except TimeoutError:
            left = "; ".join(self._unfinished()) or "something from before the run is not settled"
            raise TimeoutError(f"Not quiet after {timeout_seconds:g} s: {left}.") from None

    async def _nothing_running(self) -> None:
        await self._bus.settled()
        while self._running():
            self._something_ended.clear()
            await self._something_ended.wait()
            await self._bus.settled()

    def _running(self) -> list[Sent | Handled]:
        entries: list[Sent | Handled] = [*self.sent, *self.reactions]
        return [entry for entry in entries if entry.is_running]

    def _unfinished(self) -> Iterator[str]:
        yield from map(str, self._running())
        begun = {(reaction.event.event_id, reaction.handler) for reaction in self.reactions}
        for record in self.recorded:
            for found in self._bus._handlers.reactions_to(type(record.event)):
                if not found.declaration.in_transaction and (record.event.event_id, found.name) not in begun:
                    yield f"{found.name} has not begun with {record.event_type}"

    @contextmanager
    def noting_the_end_of(self, entry: Sent | Handled) -> Iterator[None]:
        """What is done inside is what the entry is about."""
        try:
            yield
        except BaseException as error:
            entry.error = error
            raise
        finally:
            entry.is_running = False
            self._something_ended.set()
