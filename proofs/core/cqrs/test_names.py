"""What is stored goes by names that outlive files: of commands, cached queries and aggregates."""

import sys
from abc import abstractmethod
from dataclasses import dataclass
from types import ModuleType, new_class
from typing import Any, ClassVar, Generic, TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.composition.container import RunningService, running_service
from app.core.cqrs import (
    AggregateRoot,
    ConfigurationError,
    CQRSBus,
    DomainEvent,
    EventSourcedAggregate,
    ICommand,
    IQuery,
    PolicyError,
    cached_query,
    idempotent,
    transactional,
)
from app.core.cqrs.checks import check_aggregates
from app.core.cqrs.testing import FixedClock, MemoryBus, MemoryCache
from app.core.event_types import EventTypes
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log
from app.persistence.events.event_sourcing import EventStreams
from tests.core.cqrs.support import handler_of, sent_by
from tests.databases import settings_for

T = TypeVar("T")


def command(module: str, name: str = "Charge", **attributes: Any) -> Any:
    """A class of commands as it would stand in this module."""
    body = {"__annotations__": {"amount": int}, "__module__": module, "__qualname__": name, **attributes}
    return dataclass(new_class(name, (ICommand[int],), {}, lambda made: made.update(body)))


class Charging:
    """Counts its effects."""

    def __init__(self) -> None:
        self.effects = 0

    async def __call__(self, message: Any) -> int:
        self.effects += 1
        return self.effects


async def send(bus: CQRSBus, command_type: Any, work: Charging, amount: int = 7) -> Any:
    """Send a command with a key."""
    if command_type not in bus.get_registered_handlers()["commands"]:
        bus.register_command_handler(command_type, handler_of(command_type, work, transactional(), idempotent())())
    return await bus.execute_command(sent_by(None, command_type(amount), idempotency_key="key"))


async def test_a_command_whose_file_moved_is_not_done_again(service: RunningService) -> None:
    work = Charging()
    assert (await send(service.bus, command("app.handlers.old"), work)).unwrap() == 1
    assert (await send(service.bus, command("app.handlers.new"), work)).unwrap() == 1
    assert work.effects == 1


async def test_a_command_that_is_renamed_and_keeps_its_name_is_not_done_again(service: RunningService) -> None:
    work = Charging()
    assert (await send(service.bus, command("app.handlers.pay"), work)).unwrap() == 1
    assert (
        await send(service.bus, command("app.handlers.pay", "ChargeCard", command_name="Charge"), work)
    ).unwrap() == 1
    assert (await send(service.bus, command("app.handlers.pay", "Refund"), work)).unwrap() == 2


async def test_a_query_whose_file_moved_finds_what_was_kept() -> None:
    def ask(module: str, name: str = "AskPrice", **attributes: Any) -> Any:
        body = {"__annotations__": {"of": str}, "__module__": module, "__qualname__": name, **attributes}
        return dataclass(new_class(name, (IQuery[int],), {}, lambda made: made.update(body)))

    work, cache = Charging(), MemoryCache(FixedClock())
    for query in (ask("a"), ask("b"), ask("a", "AskCost", query_name="AskPrice")):
        bus = CQRSBus(cache=cache)
        bus.register_query_handler(query, handler_of(query, work, cached_query()))
        assert (await bus.execute_query(query("tea"))).unwrap() == 1


@pytest.mark.parametrize(
    ("base", "attribute"),
    [
        (ICommand, "command_name"),
        (IQuery, "query_name"),
        (AggregateRoot, "aggregate_type"),
        *((DomainEvent, attribute) for attribute in ("event_type", "event_version", "public", "event_source")),
    ],
)
def test_a_field_does_not_hide_an_attribute_of_the_class(base: type, attribute: str) -> None:
    with pytest.raises(TypeError, match=f"a field called {attribute}.*or annotate it as ClassVar"):
        type("Wrong", (base,), {"__annotations__": {attribute: str}})


# Two of one name are refused


async def test_two_commands_with_keys_and_one_name_are_refused() -> None:
    bus = MemoryBus()
    for module in ("app.handlers.card", "app.handlers.cash"):
        charge = command(module)
        bus.register_command_handler(charge, handler_of(charge, Charging(), transactional(), idempotent()))
    with pytest.raises(PolicyError, match=r"card\.Charge and app\.handlers\.cash\.Charge are both known as Charge"):
        await bus.start()


async def test_two_cached_queries_of_one_name_are_refused_and_others_are_not() -> None:
    def ask(module: str) -> Any:
        return dataclass(new_class("Ask", (IQuery[int],), {}, lambda made: made.update(__module__=module)))

    bus = MemoryBus()
    for module in ("a", "b"):
        query = ask(module)
        bus.register_query_handler(query, handler_of(query, Charging()))
    await bus.start()
    for module in ("c", "d"):
        query = ask(module)
        bus.register_query_handler(query, handler_of(query, Charging(), cached_query()))
    with pytest.raises(PolicyError, match=r"c\.Ask and d\.Ask are both known as Ask, so their answers"):
        await bus.start()


def aggregate(base: type[Any], module: str, **attributes: Any) -> Any:
    """A class of aggregates called Account."""
    body = {"__module__": module, "apply": lambda self, event: None, **attributes}
    return type("Account", (base,), body)


@pytest.mark.parametrize(
    ("base", "named"), [(AggregateRoot, {}), (EventSourcedAggregate, {"aggregate_type": "Account"})]
)
def test_two_aggregates_of_one_name_are_refused(base: type[Any], named: dict[str, str]) -> None:
    bank, shop = aggregate(base, "app.domain.bank", **named), aggregate(base, "app.domain.shop", **named)
    with pytest.raises(ConfigurationError, match=r"bank\.Account and app\.domain\.shop\.Account are both Account"):
        check_aggregates([bank, shop])
    check_aggregates([bank, aggregate(base, "app.domain.shop", aggregate_type="ShopAccount")])
    check_aggregates([bank, aggregate(bank, "app.domain.savings", **named)])


def test_an_aggregate_that_is_only_its_events_says_its_name_itself() -> None:
    class Ledger(EventSourcedAggregate, Generic[T]):
        """Abstract in another method than that of its base."""

        def apply(self, event: DomainEvent) -> None: ...

        @abstractmethod
        def limit(self) -> T: ...

    body: dict[str, Any] = {"limit": lambda self: 0}
    cash = type("Cash", (Ledger,), {**body, "aggregate_type": "CashLedger"})
    for base in (Ledger[int], cash):
        with pytest.raises(TypeError, match='Card is stored only as its events.*add aggregate_type = "Card", or'):
            new_class("Card", (base,), {}, lambda made: made.update(body))


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two modules with an aggregate each, both called User: one is the service's own name."""
    module = ModuleType("support.with_an_aggregate")
    body = {"__module__": module.__name__, "apply": len, "aggregate_type": "User"}
    module.__dict__["User"] = type("User", (EventSourcedAggregate,), body)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return [module.__name__]


async def test_a_service_with_two_aggregates_of_one_name_does_not_start(database_url: str, modules: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"are both User in the event log"):
        async with running_service(settings_for(database_url), modules):
            pass


# A stream goes on under the name that it began with


@dataclass(frozen=True, kw_only=True)
class Counted(DomainEvent):
    """One more."""


class Counter(EventSourcedAggregate):
    """Counts."""

    aggregate_type = "Counter"

    value = 0

    def apply(self, event: DomainEvent) -> None:
        self.value += 1


class Tally(Counter):
    """The same after it was renamed."""

    aggregate_type: ClassVar[str] = "Counter"


@dataclass(frozen=True)
class Count(ICommand[int]):
    """Count one more."""

    id: str
    kind: type[Counter]


async def test_a_stream_goes_on_after_its_class_was_renamed(service: RunningService) -> None:
    database, one = await service.container.get(Database), str(uuid4())
    types = EventTypes([Counted])

    async def count(message: Any) -> int:
        from app.persistence.unit_of_work import current_unit

        unit = current_unit()
        assert unit is not None
        streams = EventStreams(unit.session, types)
        counter = streams.add(message.kind(one)) if message.id == "new" else await streams.load(message.kind, one)
        counter.raise_event(Counted())
        return counter.value  # type: ignore[no-any-return]

    service.bus.register_command_handler(Count, handler_of(Count, count, transactional())())
    counted = [(await service.bus.execute_command(Count(*of))).unwrap() for of in (("new", Counter), ("", Tally))]
    assert counted == [1, 2]
    async with database.reading() as session:
        rows = await session.execute(select(event_log.c.aggregate_type).where(event_log.c.aggregate_id == one))
        assert set(rows.scalars()) == {"Counter"}
