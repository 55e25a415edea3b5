"""The path of an event on a bus: publication outside of a unit of work, delivery in memory, and its reactions."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Protocol

import structlog

from app.core.cqrs.attempt import attempt_here, attempt_of
from app.core.cqrs.errors import HandlerNotFoundError
from app.core.cqrs.events import DomainEvent, EventRecord, RaisedEvent
from app.core.cqrs.messages import ICommand
from app.core.cqrs.operation import Operation, current
from app.core.cqrs.pipeline import compile_steps
from app.core.cqrs.plan import Declaration, Kind, Plan, Step
from app.core.cqrs.policies.transactional import Transactional

Reaction = Callable[[EventRecord], Coroutine[Any, Any, None]]

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PublishEvent(ICommand[None]):
    """Store an event that is published outside of a unit of work, so that all events take the same path."""

    event: DomainEvent

    def get_command_name(self) -> str:
        """The name of the command in logs, which contains the event type."""
        return f"publish {self.event.event_type}"


class PublishEventHandler:
    """Adds the event to the unit of work that its pipeline opens."""

    async def _handle(self, command: PublishEvent) -> None:
        attempt = attempt_here()
        assert attempt is not None, "it is transactional, on a bus that has units of work"
        attempt.published.append(RaisedEvent(command.event))


def publishing_plan(bus: Any) -> Plan:
    """The plan for storing such an event."""
    plan = Plan.of(Declaration(Kind.COMMAND, PublishEvent), PublishEventHandler(), bus)
    return replace(plan, policies={Transactional: Transactional()})


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
                event = record.event
                logger.error("reaction_failed", event_type=event.event_type, event_id=event.event_id, exc_info=error)


def compile_reaction(plan: Plan) -> Reaction:
    """Compile the reaction of one handler to event records; its exceptions propagate."""
    run, _ = compile_steps(plan)

    async def react(record: EventRecord) -> None:
        outer, operation = current.get(), Operation()
        if outer is not None:
            operation._parent = outer
            operation._attempt = attempt_of(outer) if plan.nested else None
        operation._open(plan.bus, record)
        try:
            await run(record)
        finally:
            operation._close()

    return react


class Reactions:
    """Event type -> handler name -> reaction, `inside` the transaction and `after` it, in the order of registration."""

    def __init__(self, handlers_of: Callable[[type], list[Plan]]) -> None:
        self._handlers_of = handlers_of
        self.inside = cache(partial(self._compile, in_transaction=True))
        self.after = cache(partial(self._compile, in_transaction=False))
        self.from_log = compile_reaction  # the test kit replaces it

    def forget(self) -> None:
        """Discard all compiled pipelines; each is compiled again at its next use."""
        self.inside.cache_clear()
        self.after.cache_clear()

    def names_of(self, event_type: type) -> tuple[str, ...]:
        """The names of the after-commit handlers of an event: that of `@event_handler(name=...)`, or the class name."""
        return tuple(self.after(event_type))

    async def run(self, record: EventRecord, handler: str) -> None:
        """Run one after-commit handler, by its name; the cancellation of what it awaited becomes a RuntimeError.

        Raises:
            HandlerNotFoundError: if no handler of this name reacts to the event.
        """
        event_type: type = type(record.event)
        reaction = self.after(event_type).get(handler)
        if reaction is None:
            raise HandlerNotFoundError(
                f"{handler} does not react to {record.event_type}: let it react to that event again, or discard the "
                f"event: app outbox purge {record.event.event_id} --handler {handler}."
            )
        try:
            await reaction(record)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            raise RuntimeError(f"{handler} awaited something that was cancelled.") from error

    async def run_all(self, record: EventRecord) -> None:
        """Run all after-commit handlers, one after the other; raises an ExceptionGroup of all failures at the end."""
        failures: list[Exception] = []
        for handler in self.names_of(type(record.event)):
            try:
                await self.run(record, handler)
            except Exception as error:
                failures.append(error)
        if failures:
            raise ExceptionGroup(f"{len(failures)} handlers of {record.event_type} failed.", failures)

    def direct(self, plan: Plan) -> Step:
        """The reaction of one handler to events that are in no log. An instance without policies is called directly."""
        if not plan.is_class and not plan.policies:
            return plan.handler._handle  # type: ignore[no-any-return]
        react = compile_reaction(plan)
        return lambda event: react(EventRecord(RaisedEvent(event)))

    def _compile(self, event_type: type, *, in_transaction: bool) -> dict[str, Reaction]:
        return {
            # Inbox and outbox know only after-commit handlers; several in-transaction handlers may share a name.
            f"{plan.name_on_record} {number}" if in_transaction else plan.name_on_record: self.from_log(plan)
            for number, plan in enumerate(self._handlers_of(event_type))
            if plan.in_transaction is in_transaction
        }
