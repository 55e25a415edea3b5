"""Reactions to events: the compiled pipelines of event handlers."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from app.core.cqrs.attempt import attempt_of
from app.core.cqrs.events import EventRecord, RaisedEvent
from app.core.cqrs.operation import Operation, current
from app.core.cqrs.pipeline import compile_steps
from app.core.cqrs.plan import Plan, Step

Reaction = Callable[[EventRecord], Coroutine[Any, Any, None]]


class Compiled(dict[type, dict[str, Reaction]]):
    """Event type -> the reactions to it, by handler name; compiled at the first look-up."""

    def __init__(self, compile_for: Callable[[type], dict[str, Reaction]]) -> None:
        self._compile_for = compile_for

    def __missing__(self, event_type: type) -> dict[str, Reaction]:
        compiled = self[event_type] = self._compile_for(event_type)
        return compiled


class Reactions:
    """The reactions of one bus: those in the transaction of an event, and those after its commit.

    Args:
        handlers_of: the plans of the handlers of an event type, in the order of their registration.
    """

    def __init__(self, handlers_of: Callable[[type], list[Plan]]) -> None:
        self._handlers_of = handlers_of
        self.inside = Compiled(lambda event_type: self._compile(event_type, in_transaction=True))
        self.after = Compiled(lambda event_type: self._compile(event_type, in_transaction=False))

    def forget(self) -> None:
        """Discard all compiled pipelines; each is compiled again at its next use."""
        self.inside.clear()
        self.after.clear()

    async def run(self, record: EventRecord, handler: str) -> None:
        """Run one after-commit handler; the cancellation of something that it awaited becomes a RuntimeError."""
        try:
            await self.after[type(record.event)][handler](record)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise RuntimeError(f"{handler} awaited something that was cancelled.") from error

    def from_log(self, plan: Plan) -> Reaction:
        """The reaction of one handler to event records, in their transaction or after its commit."""
        return compile_reaction(plan)

    def direct(self, plan: Plan) -> Step:
        """The reaction of one handler to events that are in no log. An instance without policies is called directly."""
        if not plan.is_class and not plan.policies:
            return plan.handler._handle  # type: ignore[no-any-return]
        react = compile_reaction(plan)
        return lambda event: react(EventRecord(RaisedEvent(event)))

    def all_direct(self, event_type: type) -> list[Step]:
        """All reactions to an event that is in no log."""
        return [self.direct(plan) for plan in self._handlers_of(event_type)]

    def _compile(self, event_type: type, in_transaction: bool) -> dict[str, Reaction]:
        return {
            # Inbox and outbox know only after-commit handlers; several in-transaction handlers may share a name.
            f"{plan.name_on_record} {number}" if in_transaction else plan.name_on_record: self.from_log(plan)
            for number, plan in enumerate(self._handlers_of(event_type))
            if plan.in_transaction is in_transaction
        }


def compile_reaction(plan: Plan) -> Reaction:
    """Compile the pipeline of one event handler; exceptions of the handler propagate."""
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
