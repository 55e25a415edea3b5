"""The kit for the teams' own tests, used as they use it."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from app.core.cqrs import (
    BaseCommandHandler,
    ConcurrencyError,
    ConfigurationError,
    ConflictError,
    EventRecord,
    Grants,
    ICommand,
    OperationStatus,
    RaisedEvent,
    authorize,
    command_handler,
    transactional,
)
from app.core.cqrs.testing import FixedClock, MemoryBus, MemoryCache, MemoryUnitsOfWork, SimpleScope, StaticAccess
from tests.core.cqrs.support import Happened, Thing, handler_of, sent_by


class Things:
    """A repository as a team would fake it."""

    def __init__(self, units: MemoryUnitsOfWork) -> None:
        self.units = units
        self.all: dict[str, Thing] = {}

    def add(self, thing: Thing) -> None:
        if thing.id in self.all:
            raise ConflictError("There is one already.")
        self.all[thing.id] = self.units.track(thing)


@dataclass
class AddThing(ICommand[str]):
    thing_id: str


@transactional()
@authorize(["thing:add"])
@command_handler(AddThing)
class AddThingHandler(BaseCommandHandler[AddThing, str]):
    """Adds a thing."""

    things: Things
    note: str = "added"

    async def _handle(self, command: AddThing) -> str:
        thing = Thing(command.thing_id)
        thing.change(self.note)
        self.things.add(thing)
        return command.thing_id


async def test_a_handler_on_a_bus_of_fakes() -> None:
    bus = MemoryBus(AddThingHandler, grants={"ada": Grants(frozenset({"thing:add"}))})
    things = Things(bus.units)
    bus.scope.given.append(things)
    assert (await bus.execute_command(sent_by("ada", AddThing("1")))).unwrap() == "1"
    assert (await bus.execute_command(sent_by("ada", AddThing("1")))).status is OperationStatus.CONFLICT
    assert (await bus.execute_command(sent_by("eve", AddThing("2")))).is_failure
    assert list(things.all) == ["1"]
    assert [event.event_type for event in bus.units.events] == ["Happened"]
    assert bus.units.journal == ["begin", "record Happened", "commit", "begin", "rollback"]


async def test_a_repository_needs_no_registration() -> None:
    bus = MemoryBus(AddThingHandler, grants={"ada": Grants(is_admin=True)})
    assert (await bus.execute_command(sent_by("ada", AddThing("1")))).is_success, "built from what is given"


async def test_the_fixture_is_a_started_bus(cqrs_bus: MemoryBus) -> None:
    cqrs_bus.register(handler_of(AddThing, lambda command: command.thing_id))
    assert (await cqrs_bus.execute_command(AddThing("1"))).unwrap() == "1"


def test_a_write_outside_of_a_transaction_is_refused_with_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="put @transactional on the handler"):
        MemoryUnitsOfWork().track(Thing("1"))


async def test_commits_fail_as_ordered() -> None:
    bus = MemoryBus(handler_of(AddThing, lambda command: "x", transactional()))
    bus.units.fail_commits(2)
    bus.units.fail_commits(error=ConcurrencyError("Somebody was faster."))
    statuses = [(await bus.execute_command(AddThing("1"))).status.name for _ in range(4)]
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
    assert len(unit.collect_events()) == 1
    assert unit.collect_events() == []


def test_the_clock_goes_when_it_is_told_to() -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    clock.advance(90)
    assert clock.now() == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)
    clock.time = datetime(2027, 1, 1, tzinfo=UTC)
    assert clock.now().year == 2027


async def test_the_cache_forgets_by_the_clock_and_by_tags() -> None:
    clock = FixedClock()
    cache = MemoryCache(clock)
    mark = await cache.generation({"tag"})
    await cache.set("key", b"value", 10, {"tag"}, mark)
    entry = await cache.get("key")
    assert entry is not None
    assert (entry.value, entry.ttl_seconds, entry.level) == (b"value", 10, "memory")
    clock.advance(10)
    assert await cache.get("key") is None
    await cache.set("key", b"value", 10, {"tag"}, mark)
    await cache.invalidate({"tag"})
    assert await cache.get("key") is None
    await cache.set("key", b"stale", 10, {"tag"}, mark)
    assert await cache.get("key") is None, "its tag was invalidated after the mark"


async def test_the_scope_builds_what_is_asked_for() -> None:
    class Needs:
        def __init__(self, units: MemoryUnitsOfWork, number: int = 7) -> None:
            self.units, self.number = units, number

    class Nothing:
        pass

    units = MemoryUnitsOfWork()
    scope = SimpleScope(units)
    async with scope() as opened:
        assert (scope.opened, scope.closed) == (1, 0)
        built = await opened.get(Needs)
        assert (built.units, built.number) == (units, 7)
        assert isinstance(await opened.get(Nothing), Nothing)
    assert scope.closed == 1


async def test_access_by_a_mapping() -> None:
    access = StaticAccess({"ada": Grants(is_admin=True)})
    assert await access.grants_of("ada") == Grants(is_admin=True)
    assert await access.grants_of("eve") is None
