"""Runs reactions to events: in-transaction reactions before the commit, all others after it, in the order of events."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import structlog

from app.core.cqrs.aggregate import EventRecord
from app.core.cqrs.dispatch import Dispatch, Lease, current
from app.core.cqrs.errors import (
    CircularEventsError,
    ConfigurationError,
    CQRSError,
    ServiceUnavailableError,
    TransientError,
)
from app.core.cqrs.messages import DomainEvent
from app.core.cqrs.pipeline import compile_steps
from app.core.cqrs.plan import Plan
from app.core.cqrs.ports import UnitOfWork
from app.core.cqrs.work import Work, work_of

MOST_ROUNDS = 100
"""This many rounds of events, each raised by in-transaction reactions to the one before, count as an endless loop."""

logger = structlog.get_logger(__name__)
Reaction = Callable[[EventRecord], Coroutine[Any, Any, None]]


def compile_reaction(plan: Plan) -> Reaction:
    """Compile the pipeline of one event handler; exceptions of the handler propagate."""
    run, _ = compile_steps(plan)

    async def react(record: EventRecord) -> None:
        outer, dispatch = current.get(), Dispatch()
        if outer is not None:
            dispatch._parent = outer
            dispatch._work = work_of(outer) if plan.nested else None
        dispatch._open(Lease(plan.bus), record)
        try:
            await run(record)
        finally:
            dispatch._close()

    return react


async def commit(
    work: Work, reactions_inside: Callable[[type[DomainEvent]], Mapping[str, Reaction]], most_steps: int
) -> None:
    """Run the in-transaction reactions, write the events to the event log, and commit the unit of work."""
    unit = work.unit
    assert unit is not None, "only work in a transaction is committed"
    records = await _react_inside(work, unit, reactions_inside, most_steps)
    if records:
        await unit.record(records)
    work.may_have_committed = True
    try:
        await unit.commit()
    except CQRSError as error:  # only a connection lost during the COMMIT leaves its outcome unknown
        work.may_have_committed = isinstance(error, ServiceUnavailableError) and not isinstance(error, TransientError)
        raise
    work.stored = records


async def _react_inside(
    work: Work,
    unit: UnitOfWork,
    reactions_inside: Callable[[type[DomainEvent]], Mapping[str, Reaction]],
    most_steps: int,
) -> list[EventRecord]:
    """Run the in-transaction reactions to every event of the unit, including the events that they raise."""
    dispatch = current.get()
    assert dispatch is not None, "only work in a transaction is committed"
    records: list[EventRecord] = []
    for _ in range(MOST_ROUNDS):
        raised = [
            EventRecord(event, dispatch._message.metadata)
            for event in (*await unit.collect_events(), *work.take_published())
        ]
        if not raised:
            return records
        _check_depth(raised[0], most_steps)
        records += raised
        for record in raised:
            for react in reactions_inside(type(record.event)).values():
                await react(record)
    raise ConfigurationError(
        f"In-transaction reactions raised events {MOST_ROUNDS} times over, last {records[-1].event.event_type}: "
        "they go round in circles. Let one of them react after the commit."
    )


def _check_depth(first: EventRecord, most: int) -> None:
    """Refuse a chain of more than `most` events, each raised by a reaction in a transaction of its own: a loop."""
    if first.metadata.depth >= most:
        raise CircularEventsError(
            f"{first.event_type} is the end of {most} events, each raised by a reaction to the one before: "
            "they go round in circles. Let one of the reactions see that there is nothing left to do, or raise "
            "EVENT_MAX_STEPS."
        )


class Delivery(Protocol):
    """Triggers after-commit reactions, for which the command does not wait."""

    def add(self, records: Sequence[EventRecord]) -> None:
        """Deliver events that were committed just now."""

    async def idle(self) -> None:
        """Wait until there is nothing left to deliver."""

    async def finish(self) -> None:
        """Deliver the events that have to be delivered before the bus ends."""


class MemoryDelivery:
    """Runs after-commit reactions in this process, one event after the other; a crash loses undelivered events.

    Its worker task exists only while there are events to deliver, so it is bound to no event loop.
    """

    def __init__(self, deliver: Callable[[EventRecord], Awaitable[None]]) -> None:
        self._deliver = deliver
        self._waiting: deque[EventRecord] = deque()
        self._worker: asyncio.Task[None] | None = None

    def add(self, records: Sequence[EventRecord]) -> None:
        """Append events to the queue, and start the worker if none is running."""
        self._waiting.extend(records)
        if self._waiting and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self._work(), name="event-delivery")

    async def idle(self) -> None:
        """Wait until all events are delivered."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])

    finish = idle

    async def _work(self) -> None:
        current.set(None)  # the worker is not part of the operation that started it
        while self._waiting:
            record = self._waiting.popleft()
            try:
                await self._deliver(record.following())
            except Exception as error:
                logger.error(
                    "reaction_failed",
                    event_type=record.event_type,
                    event_id=record.event.event_id,
                    exc_info=error,
                )
