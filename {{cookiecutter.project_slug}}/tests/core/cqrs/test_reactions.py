"""From the aggregate that raises an event to the reactions to it."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.core.cqrs import (
    BaseEventHandler,
    BusinessRuleViolationError,
    ConcurrencyError,
    ConflictError,
    CQRSBus,
    DomainEvent,
    EventRecord,
    HandlerNotFoundError,
    OperationStatus,
    RaisedEvent,
    event_handler,
    retry_on_failure,
    transactional,
)
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import (
    Do,
    DoMore,
    Happened,
    HappenedToo,
    Thing,
    forever,
    handler_of,
    raising,
    sent_by,
    within_patience,
)

Logs = list[MutableMapping[str, Any]]


def reacting(event: type, log: list[str], name: str, **options: Any) -> Any:
    return handler_of(event, lambda happened: log.append(f"{name} {happened.what}"), **options)


def changing(bus: MemoryBus, *whats: str, then: Any = None) -> Any:
    """A handler of `Do` that lets things happen to an aggregate."""

    async def handle(_: Do) -> str:
        thing = bus.units.track(Thing("1"))
        for what in whats:
            thing.change(what)
        if then is not None:
            raise then
        return "done"

    return handler_of(Do, handle, transactional())


async def test_what_an_aggregate_raised_is_stored_with_its_place_in_the_stream() -> None:
    bus = MemoryBus()
    bus.register(changing(bus, "one", "two"))
    command = sent_by("ada", Do(), source="test")
    await bus.execute_command(command)
    assert bus.units.journal == ["begin", "record Happened Happened", "commit"]
    assert [record.raised[1:] for record in bus.units.records] == [("Thing", "1", 1), ("Thing", "1", 2)]
    assert [record.metadata for record in bus.units.records] == [command.metadata] * 2


async def test_no_event_no_record() -> None:
    bus = MemoryBus()
    bus.register(changing(bus))
    await bus.execute_command(Do())
    assert bus.units.journal == ["begin", "commit"]


async def test_reactions_run_after_the_commit_in_the_order_of_events_and_of_registration() -> None:
    bus = MemoryBus()
    log = bus.units.journal
    bus.register(changing(bus, "a", "b"))
    for name in ("first", "second"):
        bus.register(reacting(Happened, log, name))
    await bus.execute_command(Do())
    await bus.settled()
    assert log[2:] == ["commit", "first a", "second a", "first b", "second b"]


async def test_the_answer_does_not_wait_for_them() -> None:
    may_go = asyncio.Event()
    log: list[str] = []

    async def slow(event: Happened) -> None:
        await may_go.wait()
        log.append(event.what)

    bus = MemoryBus(handler_of(Happened, slow))
    bus.register(changing(bus, "a"))
    assert (await bus.execute_command(Do())).unwrap() == "done"
    assert log == []
    may_go.set()
    await within_patience(bus.settled())
    assert log == ["a"]


@pytest.mark.parametrize("error", [ConflictError("No."), ZeroDivisionError()])
async def test_nothing_happens_after_a_rollback(error: Exception) -> None:
    bus = MemoryBus()
    log: list[str] = []
    bus.register(changing(bus, "a", then=error))
    bus.register(reacting(Happened, log, "after"))
    bus.register(reacting(Happened, log, "inside", in_transaction=True))
    await bus.execute_command(Do())
    await bus.settled()
    assert log == []
    assert bus.units.events == []


async def test_nothing_happens_after_a_commit_that_fails() -> None:
    bus = MemoryBus()
    log: list[str] = []
    bus.register(changing(bus, "a"))
    bus.register(reacting(Happened, log, "after"))
    bus.units.fail_commits(error=ConcurrencyError("Somebody was faster."))
    await bus.execute_command(Do())
    await bus.settled()
    assert log == []


async def test_only_the_events_of_the_winning_attempt_are_delivered() -> None:
    log: list[str] = []
    attempts: list[int] = []

    async def handle(_: Do) -> None:
        attempts.append(1)
        bus.units.track(Thing("1")).change(f"attempt {len(attempts)}")
        await bus.publish_event(HappenedToo(what=f"attempt {len(attempts)}"))

    bus = MemoryBus(handler_of(Do, handle, transactional(), retry_on_failure(delay_seconds=0)))
    bus.register(reacting(Happened, log, "raised"))
    bus.register(reacting(HappenedToo, log, "published"))
    bus.units.fail_commits(2)
    await bus.execute_command(Do())
    await bus.settled()
    assert log == ["raised attempt 3", "published attempt 3"]


async def test_a_failing_reaction_is_logged_and_stops_nobody(logs: Logs) -> None:
    log: list[str] = []
    error = ZeroDivisionError()
    bus = MemoryBus(handler_of(Happened, raising(error)), reacting(Happened, log, "other"))
    bus.register(changing(bus, "a", "b"))
    assert (await bus.execute_command(Do())).unwrap() == "done"
    await bus.settled()
    assert log == ["other a", "other b"]
    assert [entry["event"] for entry in logs] == ["reaction_failed"] * 2
    assert logs[0]["event_type"] == "Happened"
    assert logs[0]["event_id"] == bus.units.events[0].event_id
    assert logs[0]["exc_info"].exceptions == (error,)


async def test_a_reaction_that_hangs_holds_the_others_only_for_a_while(logs: Logs) -> None:
    @event_handler(Happened, timeout_seconds=0.01)
    class Hang(BaseEventHandler[Happened]):
        async def _handle(self, event: Happened) -> None:
            await forever()

    log: list[str] = []
    bus = MemoryBus(Hang, reacting(Happened, log, "other"))
    bus.register(changing(bus, "a"))
    await bus.execute_command(Do())
    await within_patience(bus.settled())
    assert log == ["other a"]
    assert [entry["event"] for entry in logs] == ["reaction_failed"]
    (error,) = logs[0]["exc_info"].exceptions
    assert "Hang did not handle the event within 0.01 s" in str(error)
    assert "timeout_seconds=" in str(error)


async def test_the_handlers_of_a_base_event_get_its_subclasses() -> None:
    @dataclass(frozen=True)
    class HappenedBadly(Happened):
        pass

    log: list[str] = []
    bus = MemoryBus(
        handler_of(DomainEvent, lambda event: log.append(f"all {event.event_type}")),
        reacting(Happened, log, "base"),
        reacting(HappenedBadly, log, "child"),
    )
    for event in (HappenedBadly(), Happened(), HappenedToo()):
        await bus.publish_event(event)
    await bus.settled()
    assert log == ["all HappenedBadly", "base this", "child this", "all Happened", "base this", "all HappenedToo"]


async def test_reactions_inside_the_transaction_run_before_the_commit() -> None:
    bus = MemoryBus()
    log = bus.units.journal
    bus.register(changing(bus, "a"))
    bus.register(reacting(Happened, log, "after"))
    bus.register(reacting(Happened, log, "inside", in_transaction=True))
    await bus.execute_command(Do())
    await bus.settled()
    assert log == ["begin", "inside a", "record Happened", "commit", "after a"]


async def test_a_reaction_inside_that_fails_fails_the_command() -> None:
    bus = MemoryBus(handler_of(Happened, raising(BusinessRuleViolationError("No.")), in_transaction=True))
    bus.register(changing(bus, "a"))
    result = await bus.execute_command(Do())
    assert (result.status, result.error_message) == (OperationStatus.BUSINESS_RULE, "No.")
    assert bus.units.journal == ["begin", "rollback"]


async def test_reactions_inside_may_raise_events_in_turn_and_share_the_unit() -> None:
    bus = MemoryBus()
    log: list[str] = []

    async def inside(event: Happened) -> None:
        bus.units.track(Thing("2")).raise_event(HappenedToo(what=f"because of {event.what}"))
        await bus.publish_event(HappenedToo(what="published"))
        assert (await bus.execute_command(DoMore())).unwrap() == "done"

    bus.register(changing(bus, "a"))
    bus.register(handler_of(DoMore, lambda _: "done", transactional()))
    bus.register(handler_of(Happened, inside, in_transaction=True))
    bus.register(reacting(HappenedToo, log, "inside", in_transaction=True))
    bus.register(reacting(HappenedToo, log, "after"))
    await bus.execute_command(Do())
    await bus.settled()
    whats = ["because of a", "published"]
    assert log == [*(f"inside {what}" for what in whats), *(f"after {what}" for what in whats)]
    assert bus.units.journal == ["begin", "record Happened HappenedToo HappenedToo", "commit"]


async def test_reactions_inside_that_go_round_in_circles_are_stopped() -> None:
    bus = MemoryBus()
    rounds: list[int] = []

    async def again(event: Happened) -> None:
        rounds.append(1)
        await bus.publish_event(Happened())

    bus.register(changing(bus, "a"))
    bus.register(handler_of(Happened, again, in_transaction=True))
    result = await bus.execute_command(Do())
    assert result.status is OperationStatus.FAILED
    assert "go round in circles" in str(result.error_message)
    assert len(rounds) == 100
    assert bus.units.events == []


async def test_a_reaction_after_the_commit_may_dispatch_and_knows_its_cause() -> None:
    seen: list[Any] = []

    @event_handler(Happened)
    class React(BaseEventHandler[Happened]):
        """Sends a command."""

        async def _handle(self, event: Happened) -> None:
            await self.bus.execute_command(DoMore())

    bus = MemoryBus(React, handler_of(DoMore, lambda command: seen.append(command.metadata), transactional()))
    bus.register(changing(bus, "a"))
    command = sent_by("ada", Do(), correlation_id="request 7")
    await bus.execute_command(command)
    await bus.settled()
    (metadata,) = seen
    assert (metadata.user_id, metadata.correlation_id) == ("ada", "request 7")
    assert metadata.causation_id == command.metadata.operation_id
    assert bus.units.journal[-2:] == ["begin", "commit"], "in a transaction of its own"


# publish_event


async def test_publishing_outside_runs_all_handlers_before_it_returns() -> None:
    log: list[str] = []
    bus = CQRSBus()
    bus.register(reacting(Happened, log, "first"))
    bus.register(reacting(Happened, log, "inside", in_transaction=True))
    bus.register(reacting(HappenedToo, log, "other"))
    bus.register_event_handler(Happened, reacting(Happened, log, "instance")())
    await bus.publish_event(Happened())
    assert log == ["first this", "inside this", "instance this"]


async def test_publishing_what_nobody_listens_to() -> None:
    await CQRSBus().publish_event(Happened())


async def test_a_handler_that_does_not_react_to_the_event_says_what_to_do() -> None:
    record = EventRecord(RaisedEvent(Happened()))
    with pytest.raises(HandlerNotFoundError, match="Gone does not react to Happened: let it react .* --handler Gone"):
        await CQRSBus().reactions.run(record, "Gone")


async def test_one_that_fails_does_not_stop_the_others_and_all_failures_are_raised_together() -> None:
    log: list[str] = []
    bus = CQRSBus()
    bus.register(handler_of(Happened, raising(KeyError("one"))))
    bus.register(reacting(Happened, log, "well"))
    bus.register(handler_of(Happened, raising(ConflictError("two"))))
    with pytest.raises(ExceptionGroup, match="2 handlers of Happened failed") as raised:
        await bus.publish_event(Happened())
    assert [type(error) for error in raised.value.exceptions] == [KeyError, ConflictError]
    assert log == ["well this"]


async def test_publishing_in_a_unit_of_work_joins_the_event_log() -> None:
    log: list[str] = []

    async def handle(_: Do) -> None:
        await bus.publish_event(Happened())
        log.append("handled")

    bus = MemoryBus(handler_of(Do, handle, transactional()), reacting(Happened, log, "after"))
    await bus.execute_command(Do())
    await bus.settled()
    assert log == ["handled", "after this"]
    (record,) = bus.units.records
    assert record.raised[1:] == (None, None, None), "no aggregate raised it"


async def test_publishing_in_an_operation_without_unit_of_work_opens_one() -> None:
    log: list[str] = []

    async def handle(_: Do) -> None:
        await bus.publish_event(Happened())
        log.append("handled")

    inside, after = reacting(Happened, log, "inside", in_transaction=True), reacting(Happened, log, "after")
    bus = MemoryBus(handler_of(Do, handle), inside, after)
    await bus.execute_command(Do())
    await bus.settled()
    assert log == ["inside this", "handled", "after this"]
    assert bus.units.journal == ["begin", "record Happened", "commit"]


async def test_publishing_in_a_task_of_its_own_is_refused_while_the_transaction_is_open() -> None:
    bus = MemoryBus(
        handler_of(Do, lambda _: asyncio.create_task(bus.publish_event(Happened())), transactional()),
    )
    result = await bus.execute_command(Do())
    assert "A task of its own published Happened" in str(result.error_message)
    assert bus.units.events == []


async def test_delivery_begins_anew_in_another_event_loop() -> None:
    log: list[str] = []
    bus = MemoryBus(reacting(Happened, log, "after"))
    bus.register(changing(bus, "a"))

    async def use() -> None:
        await bus.execute_command(Do())
        await within_patience(bus.settled())
        bus.units.records.clear()

    for _ in range(2):
        await asyncio.to_thread(asyncio.run, use())
    assert log == ["after a"] * 2


async def test_a_reaction_that_awaits_what_was_cancelled_has_failed_and_the_next_go_on() -> None:
    seen: list[str] = []

    async def react(event: Happened) -> None:
        seen.append(event.what)
        if event.what == "first":
            cancelled = asyncio.ensure_future(forever())
            cancelled.cancel()
            await cancelled

    bus = MemoryBus(
        handler_of(Happened, react),
        handler_of(Do, lambda command: bus.publish_event(Happened(command.what)), transactional()),
    )
    for what in ("first", "second"):
        await bus.execute_command(Do(what))
    with capture_logs() as logs:
        await within_patience(bus.settled())
    assert seen == ["first", "second"]
    assert [line["event"] for line in logs] == ["reaction_failed"]
