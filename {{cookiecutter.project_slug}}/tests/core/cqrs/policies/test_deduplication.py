"""A reaction to a stored event has its effect once."""

from typing import Any

import pytest

from app.core.cqrs import BaseEventHandler, CQRSBus, EventRecord, RaisedEvent, event_handler, transactional
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Happened, together


def reaction(log: list[str], *, in_transaction: bool, fails: bool = False) -> Any:
    """A handler that notes what it reacts to."""

    class React(BaseEventHandler[Happened]):
        """Notes it."""

        async def _handle(self, event: Happened) -> None:
            log.append(event.what)
            if fails:
                raise ZeroDivisionError

    return event_handler(Happened, name=f"React{fails}")(transactional()(React) if in_transaction else React)


def stored(what: str = "this") -> EventRecord:
    """An event as it comes from the log."""
    return EventRecord(RaisedEvent(Happened(what)), is_stored=True)


WAYS = pytest.mark.parametrize("in_transaction", [True, False])


@WAYS
async def test_an_event_that_comes_again_is_passed_over(in_transaction: bool) -> None:
    log: list[str] = []
    bus, record = MemoryBus(reaction(log, in_transaction=in_transaction)), stored()
    await bus.reactions.run_all(record)
    await bus.reactions.run_all(record)
    assert log == ["this"]
    await bus.reactions.run_all(stored("that"))
    assert log == ["this", "that"]


@WAYS
async def test_one_that_failed_is_not_taken_for_done(in_transaction: bool) -> None:
    log: list[str] = []
    bus, record = MemoryBus(reaction(log, in_transaction=in_transaction, fails=True)), stored()
    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            await bus.reactions.run_all(record)
    assert log == ["this", "this"]
    assert not bus.units.received


@WAYS
async def test_of_two_reactions_only_the_one_that_failed_runs_again(in_transaction: bool) -> None:
    done: list[str] = []
    failed: list[str] = []
    bus = MemoryBus(
        reaction(done, in_transaction=in_transaction), reaction(failed, in_transaction=in_transaction, fails=True)
    )
    record = stored()
    for _ in range(3):
        with pytest.raises(ExceptionGroup):
            await bus.reactions.run_all(record)
    assert (len(done), len(failed)) == (1, 3)


async def test_the_note_is_the_first_write_of_the_transaction_and_undone_with_it() -> None:
    log: list[str] = []
    bus, record = MemoryBus(reaction(log, in_transaction=True)), stored()
    bus.units.fail_commits()
    with pytest.raises(ExceptionGroup):
        await bus.reactions.run_all(record)
    assert not bus.units.received
    await bus.reactions.run_all(record)
    assert log == ["this", "this"]
    assert len(bus.units.received) == 1


@WAYS
async def test_an_event_that_just_happens_is_no_stored_one(in_transaction: bool) -> None:
    log: list[str] = []
    bus, event = CQRSBus(), Happened("now")
    bus.register(reaction(log, in_transaction=in_transaction))
    await bus.publish_event(event)
    await bus.publish_event(event)
    assert log == ["now", "now"]


async def test_different_events_at_once() -> None:
    log: list[str] = []
    bus = MemoryBus(reaction(log, in_transaction=False))
    await together(*(bus.reactions.run_all(stored(str(number))) for number in range(10)))
    assert len(log) == len(bus.units.received) == 10
