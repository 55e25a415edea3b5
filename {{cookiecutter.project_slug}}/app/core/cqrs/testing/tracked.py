"""Observes a bus from outside.

    async with tracked(bus) as run:
        await bus.execute_command(CreateUserCommand(...))
    assert [sent.status for sent in run.sent] == [OperationStatus.CREATED]
    assert [event.event_type for event in run.published] == ["UserCreated"]
    assert "SendWelcomeHandler" in run.handled[UserCreated]
    assert run.failures == []

Enter it before other helpers, such as `failing_commits`, so that it records what is really stored.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from typing import Any

from app.core.cqrs import CQRSBus, DomainEvent, EventRecord, UnitOfWork
from app.core.cqrs.operation import running
from app.core.cqrs.plan import Plan, Step
from app.core.cqrs.testing.noted import Handled, Sent
from app.core.cqrs.testing.seams import every_unit, replace, replaced
from app.core.cqrs.testing.tracked_run import TrackedRun


@asynccontextmanager
async def tracked(bus: CQRSBus, timeout_seconds: float = 5.0) -> AsyncIterator[TrackedRun]:
    """Record what happens on a bus, and wait at the end until it is quiet.

    An untracked bus pays nothing for this. In a service of several processes, only this process is recorded.

    Args:
        bus: any bus, including that of a running service.
        timeout_seconds: how long to wait at the end.

    Raises:
        TimeoutError: if the bus is not quiet in time; the message lists what is still running.
    """
    run = TrackedRun(bus)
    with ExitStack() as seams:
        seams.callback(bus.forget)
        for seam in _seams(run, bus):
            seams.enter_context(seam)
        bus.forget()
        yield run
        await run.quiet(timeout_seconds)


def _seams(run: TrackedRun, bus: CQRSBus) -> Iterator[AbstractContextManager[None]]:
    """Where the run listens: at what is sent, at reactions, and at what units of work commit."""
    yield replaced(
        bus,
        execute_command=_sending(run, bus.execute_command),
        execute_query=_sending(run, bus.execute_query),
        publish_event=_publishing(run, bus),
    )
    reactions = bus.reactions
    from_log, direct = _reacting(run, reactions.from_log), _reacting(run, reactions.direct)
    yield replaced(reactions, from_log=from_log, direct=direct)
    if bus.ports.units is not None:
        yield every_unit(bus.ports.units, _recording(run))


def _sending(run: TrackedRun, execute: Step) -> Step:
    """Wrap `execute` to record messages; like the bus, it raises at the call for a message without a handler."""

    def send(message: Any) -> Coroutine[Any, Any, Any]:
        answering, sent = execute(message), Sent(message)
        run.sent.append(sent)
        return _answered(sent, answering)

    async def _answered(sent: Sent, answering: Coroutine[Any, Any, Any]) -> Any:
        sent.is_nested = running() is not None
        with run.noting_the_end_of(sent):
            sent.result = await answering
        return sent.result

    return send


def _publishing(run: TrackedRun, bus: CQRSBus) -> Step:
    publish = bus.publish_event

    async def publish_event(event: DomainEvent) -> None:
        if bus.ports.units is None:  # otherwise it is recorded when its unit commits
            run.published.append(event)
        await publish(event)

    return publish_event


def _reacting(run: TrackedRun, reaction_of: Callable[[Plan], Step]) -> Callable[[Plan], Step]:
    """Wrap the function that makes the reaction of a handler, to record each run of that reaction."""

    def noted_reaction_of(plan: Plan) -> Step:
        react = reaction_of(plan)

        async def noted(happened: EventRecord | DomainEvent) -> None:
            event = happened.event if isinstance(happened, EventRecord) else happened
            handled = Handled(event, plan.handler_type)
            run.reactions.append(handled)
            with run.noting_the_end_of(handled):
                await react(happened)

        return noted

    return noted_reaction_of


def _recording(run: TrackedRun) -> Callable[[UnitOfWork], None]:
    """Make units of work report the events that they commit."""

    def prepare(unit: UnitOfWork) -> None:
        really_record, really_commit = unit.record, unit.commit
        written: list[EventRecord] = []

        async def record(events: Sequence[EventRecord]) -> None:
            await really_record(events)
            written.extend(events)

        async def commit() -> None:
            await really_commit()
            run.recorded += written
            run.published += [one.event for one in written]

        replace(unit, record=record, commit=commit)

    return prepare
