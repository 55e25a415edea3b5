from dataclasses import dataclass

from app.core.cqrs import (
    BaseCommandHandler,
    ConflictError,
    Grants,
    ICommand,
    OperationStatus,
    authorize,
    command_handler,
    transactional,
)
from app.core.cqrs.testing import MemoryBus, MemoryUnitsOfWork
from tests.core.cqrs.support import Thing, handler_of, sent_by


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
