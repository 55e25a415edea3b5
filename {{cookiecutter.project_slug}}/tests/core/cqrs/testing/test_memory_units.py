import pytest

from app.core.cqrs import ConcurrencyError, ConfigurationError, EventRecord, RaisedEvent, transactional
from app.core.cqrs.testing import MemoryBus, MemoryUnitsOfWork
from tests.core.cqrs.support import Do, Happened, Thing, handler_of


def test_a_write_outside_of_a_transaction_is_refused_with_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="put @transactional on the handler"):
        MemoryUnitsOfWork().track(Thing("1"))


async def test_commits_fail_as_ordered() -> None:
    bus = MemoryBus(handler_of(Do, lambda command: "x", transactional()))
    bus.units.fail_commits(2)
    bus.units.fail_commits(error=ConcurrencyError("Somebody was faster."))
    statuses = [(await bus.execute_command(Do())).status.name for _ in range(4)]
    assert statuses == ["UNAVAILABLE", "UNAVAILABLE", "CONFLICT", "SUCCESS"]


async def test_a_number_of_a_stream_is_stored_once() -> None:
    units = MemoryUnitsOfWork()

    async def store(version: int | None) -> None:
        unit = units.open(None)
        await unit.record([EventRecord(RaisedEvent(Happened(), "Thing", "1", version))])
        await unit.commit()

    await store(1)
    await store(2)
    await store(None)
    await store(None)
    with pytest.raises(ConcurrencyError):
        await store(2)
    assert len(units.records) == 4


async def test_a_unit_knows_an_aggregate_once() -> None:
    unit, thing = MemoryUnitsOfWork().open(None), Thing("1")
    unit.track(thing)
    unit.track(thing)
    thing.change()
    assert len(await unit.collect_events()) == 1
    assert await unit.collect_events() == []
