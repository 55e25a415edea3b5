from typing import Protocol

import pytest

from app.core.cqrs import Clock, ConfigurationError, CQRSBus
from app.core.cqrs.testing import FixedClock, MemoryBus, MemoryCache, MemoryUnitsOfWork, SimpleScope, StaticAccess


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


class Greeter(Protocol):
    """A port, as the domain has them."""

    name: str

    async def greet(self) -> None: ...
    async def part(self) -> None: ...


class Butler:
    """Is a greeter, and does not say so."""

    name = "James"

    async def greet(self) -> None: ...
    async def part(self) -> None: ...


class Doorman:
    """Is none: he never parts."""

    name = "Otis"

    async def greet(self) -> None: ...


class Guest:
    """Needs a port."""

    def __init__(self, greeter: Greeter) -> None:
        self.greeter = greeter


class Sundial:
    """Needs the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock


async def test_a_fake_stands_for_every_protocol_that_it_fits() -> None:
    butler = Butler()
    guest = await SimpleScope(Doorman(), butler).get(Guest)
    assert guest.greeter is butler


async def test_a_protocol_that_nothing_fits_is_told() -> None:
    with pytest.raises(ConfigurationError, match="Nothing given is a Greeter"):
        await SimpleScope(Doorman()).get(Guest)


async def test_what_a_test_gives_goes_before_the_fakes() -> None:
    own, usual = FixedClock(), MemoryBus()
    assert (await MemoryBus(given=[own]).scope.get(Sundial)).clock is own
    assert (await usual.scope.get(Sundial)).clock is usual.clock


async def test_what_a_test_gives_later_goes_before_the_fakes_too() -> None:
    own, bus = FixedClock(), MemoryBus()
    bus.scope.given.append(own)
    assert (await bus.scope.get(Sundial)).clock is own


class Desk:
    """Needs the bus."""

    def __init__(self, bus: CQRSBus) -> None:
        self.bus = bus


async def test_who_needs_the_bus_gets_the_bus_of_the_test() -> None:
    bus, own = MemoryBus(), CQRSBus()
    assert (await bus.scope.get(Desk)).bus is bus
    assert (await MemoryBus(given=[own]).scope.get(Desk)).bus is own


@pytest.mark.parametrize("needed", [Desk, MemoryBus, MemoryCache, MemoryUnitsOfWork, StaticAccess])
async def test_a_bus_or_a_port_that_nobody_gave_is_not_built(needed: type) -> None:
    with pytest.raises(ConfigurationError, match="Nothing given is a "):
        await SimpleScope().get(needed)
