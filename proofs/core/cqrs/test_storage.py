"""What is stored is what was told: events, kept answers and replayed answers come back as they went, or are refused."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, make_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy import insert, select

from app.composition.container import RunningService
from app.core.cqrs import (
    AggregateRoot,
    BaseCommandHandler,
    CommandResult,
    ConfigurationError,
    CQRSBus,
    DomainEvent,
    ICommand,
    IQuery,
    OperationStatus,
    PolicyError,
    QueryResult,
    UnstorableError,
    cached_query,
    command_handler,
    idempotent,
    transactional,
)
from app.core.cqrs.events import EventRecord, RaisedEvent
from app.core.cqrs.operation import OperationMetadata
from app.core.cqrs.serialization import AnswerCodec
from app.core.cqrs.testing import MemoryBus
from app.core.event_payloads import payload_of
from app.core.event_types import EventTypes, assert_survives_storage, check_events
from app.core.storable.types import confusions, losses
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log
from app.persistence.events.stored_event import StoredEvent, columns_of, row_of
from support.storable_kinds import KINDS, REFUSED, ByCard, Method, event_of, likeness
from tests.core.cqrs.support import handler_of, sent_by

ACCEPTED = [kind for kind in KINDS if kind not in REFUSED]
A_FEW = settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def read(types: EventTypes, event: DomainEvent) -> DomainEvent:
    """What the log gives back."""
    payload = json.loads(json.dumps(payload_of(event), allow_nan=False))
    return types.read(event.event_type, 1, payload, event_id=event.event_id, occurred_at=event.occurred_at)


def test_there_are_enough_kinds() -> None:
    assert len(KINDS) >= 40
    assert len(ACCEPTED) >= 40


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_come_back_is_refused_at_the_start(kind: str) -> None:
    event_class = event_of(kind)
    with pytest.raises(ConfigurationError) as refused:
        check_events([event_class])
    culprits = (
        f"{event_class.__name__}.value",
        f"{event_class.__name__} holds",
        "Excluded.b",
        "Made.b",
        "Initial.b",
        "Box.inside",
    )
    assert any(culprit in refused.value.message for culprit in culprits)


@pytest.mark.parametrize("kind", ACCEPTED)
def test_what_an_event_says_comes_back_or_is_refused_when_it_is_raised(kind: str) -> None:
    event_class = event_of(kind)
    check_events([event_class])
    types = EventTypes([event_class])

    @A_FEW
    @given(KINDS[kind][1])
    def comes_back(value: Any) -> None:
        event = event_class(value=value)  # type: ignore[call-arg]  # made for this test
        try:
            found = read(types, event)
        except UnstorableError as refused:
            assert f"{event_class.__name__}.value" in refused.message  # noqa: PT017
        else:
            assert likeness(found) == likeness(event)

    comes_back()


@pytest.mark.parametrize("kind", ACCEPTED)
def test_an_answer_comes_back_or_is_refused_when_it_is_given(kind: str) -> None:
    declared, values = KINDS[kind]
    assert losses(declared) == []
    codec = AnswerCodec(declared)

    @A_FEW
    @given(values)
    def comes_back(value: Any) -> None:
        try:
            replayed = codec.read(codec.write(CommandResult[Any].success(value)), CommandResult, None)
            kept = codec.kept(codec.keep(QueryResult[Any].success(value)), None)
        except UnstorableError as refused:
            assert "would not come back" in refused.message  # noqa: PT017
        else:
            assert likeness(replayed.data) == likeness(kept.data) == likeness(value)

    comes_back()


def examples() -> Iterator[DomainEvent]:
    """A few events of each kind that can be stored."""
    for kind in ACCEPTED:
        event_class, found = event_of(kind), list[Any]()

        @settings(A_FEW, max_examples=8, derandomize=True)
        @given(KINDS[kind][1])
        def collect(value: Any) -> None:
            found.append(value)  # noqa: B023  # it is called before the next

        collect()
        yield from (event_class(value=value) for value in found)  # type: ignore[call-arg]


def rows(events: Iterator[DomainEvent]) -> Iterator[tuple[DomainEvent, dict[str, Any]]]:
    """Those that may be stored, with their rows."""
    for event in events:
        try:
            yield event, row_of(EventRecord(RaisedEvent(event), OperationMetadata()))
        except UnstorableError:
            continue


async def test_what_may_be_stored_comes_back_from_the_database(service: RunningService) -> None:
    stored = list(rows(examples()))
    types = EventTypes({type(event) for event, _ in stored})
    assert len(types.classes) > 40
    database = await service.container.get(Database)
    async with database.writing() as session, session.begin():
        await session.execute(insert(event_log), [{**row, "published_at": datetime.now(UTC)} for _, row in stored])
    async with database.reading() as session:
        found = {
            row["id"]: StoredEvent(**row) for row in (await session.execute(select(*columns_of(event_log)))).mappings()
        }
    for event, _ in stored:
        read = found[event.event_id].record(types).event
        assert likeness(vars(read)["value"]) == likeness(vars(event)["value"])


# Refused at the start, with a sentence


@dataclass(frozen=True, kw_only=True)
class PaidBy(DomainEvent):
    """Holds what has subclasses."""

    method: Method


@dataclass(frozen=True, kw_only=True)
class Lent(DomainEvent):
    """Holds what is imported for type checkers only."""

    book: "Book"  # type: ignore[name-defined]  # noqa: F821


class Order(AggregateRoot):
    """No value."""


@dataclass(frozen=True, kw_only=True)
class Ordered(DomainEvent):
    """Holds an entity."""

    order: Order


@pytest.mark.parametrize(
    ("event_class", "sentence"),
    [
        (PaidBy, "PaidBy.method is declared as Method, and JSON would not say where it is a ByCard"),
        (Lent, "Lent.book cannot be stored: Book is not defined"),
        (Ordered, "Ordered.order cannot be stored: Unable to generate pydantic-core schema"),
        (event_of("Percent | Absolute"), "may be Percent or Absolute, which JSON does not tell apart"),
        (event_of("Any"), "value may hold anything"),
        (event_of("excluded"), "Excluded.b is excluded"),
    ],
)
def test_the_sentence_says_which_field_and_why(event_class: type[DomainEvent], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_events([event_class])
    assert sentence in refused.value.message


def test_a_base_of_events_is_no_reason_to_refuse_them() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Base(DomainEvent):
        number: int

    @dataclass(frozen=True, kw_only=True)
    class Derived(Base):
        more: int

    check_events([Base, Derived])


@dataclass
class AskMethods(IQuery[list[Any]]):
    """Its answers say nothing of themselves."""


@dataclass
class DoSomething(ICommand[int | float]):
    """Its answer is one thing or the other."""


async def nothing(message: Any) -> Any:
    """Do nothing."""


def test_answers_are_refused_at_the_start_too() -> None:
    bus = CQRSBus()
    with pytest.raises(PolicyError, match="may hold anything"):
        bus.register_query_handler(AskMethods, handler_of(AskMethods, nothing, cached_query()))
    with pytest.raises(PolicyError, match="int or float, which JSON does not tell apart"):
        bus.register_command_handler(DoSomething, handler_of(DoSomething, nothing, transactional(), idempotent()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_is_refused_in_a_key_if_its_classes_may_be_the_same_json(kind: str) -> None:
    message_type = make_dataclass("Compared", [("value", KINDS[kind][0])])
    assert bool(confusions(message_type)) == (kind in {"Percent | Absolute", "Enum of values alike as JSON"})


async def test_an_answer_of_a_derived_class_is_refused_when_it_is_given() -> None:
    @dataclass
    class AskMethod(IQuery[Method]):
        pass

    bus = MemoryBus(handler_of(AskMethod, lambda _: ByCard("visa", "1234"), cached_query()))
    assert (await bus.execute_query(AskMethod())).status is OperationStatus.FAILED

    @dataclass
    class Choose(ICommand[Method]):
        pass

    bus = MemoryBus(handler_of(Choose, lambda _: ByCard("visa", "1234"), transactional(), idempotent()))
    refused = await bus.execute_command(sent_by(None, Choose(), idempotency_key="key"))
    assert refused.status is OperationStatus.FAILED
    assert bus.units.journal[-1] == "rollback"


# Refused when it is raised


@dataclass(frozen=True, kw_only=True)
class Measured(DomainEvent):
    """Holds numbers and text."""

    weight: float = 0
    price: Decimal = Decimal(0)
    note: str = ""
    tags: tuple[str, ...] = ()
    deep: dict[str, list[Decimal]] | None = None
    at: datetime | None = None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"weight": float("inf")}, "weight"),
        ({"price": Decimal("NaN")}, "price"),
        ({"price": Decimal("sNaN")}, "price"),
        ({"deep": {"a": [Decimal(1), Decimal("Infinity")]}}, "deep"),
        ({"note": "a\x00b"}, "note"),
        ({"note": "\ud800"}, "note"),
        ({"tags": ["a"]}, "tags"),
        ({"price": "12"}, "price"),
        ({"weight": True}, "weight"),
        ({"note": 7}, "note"),
        ({"occurred_at": datetime(2026, 1, 1)}, "occurred_at"),  # noqa: DTZ001  # that is the point
    ],
    ids=str,
)
def test_a_value_that_would_change_is_refused_when_it_is_raised(values: dict[str, Any], field: str) -> None:
    with pytest.raises(UnstorableError, match=rf"^Measured\.{field}.* would not come back") as refused:
        payload_of(Measured(**values))
    assert refused.value.__suppress_context__ or refused.value.__context__ is None, "values are nobody's business"


AN_HOUR_TWICE = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)


@pytest.mark.parametrize(
    "event",
    [
        Measured(weight=7),
        Measured(note="a\\u0000b"),
        Measured(at=AN_HOUR_TWICE),
        Measured(price=Decimal("1.10"), deep={"a": [Decimal("1E+3")]}),
    ],
    ids=range(4),
)
def test_what_says_the_same_is_stored(event: Measured) -> None:
    assert_survives_storage(event)


def test_a_number_that_postgresql_would_make_a_whole_one_is_refused_where_that_is_another_thing() -> None:
    assert payload_of(Measured(weight=1e16))["weight"] == 1e16
    with pytest.raises(UnstorableError):
        payload_of(event_of("JsonValue")(value=[{"a": 1e16}]))  # type: ignore[call-arg]


class Loose(BaseModel, ser_json_inf_nan="constants"):
    """Writes what is no JSON."""

    weight: float


@dataclass(frozen=True, kw_only=True)
class Loosely(DomainEvent):
    """Holds one."""

    measure: Loose


def test_infinity_is_no_json_whatever_a_model_says() -> None:
    with pytest.raises(UnstorableError, match=r"Loosely\.measure"):
        payload_of(Loosely(measure=Loose(weight=float("inf"))))


def test_the_kit_tells_a_class_and_a_value_that_do_not_survive() -> None:
    with pytest.raises(AssertionError, match=r"PaidBy\.method"):
        assert_survives_storage(PaidBy(method=Method("cash")))
    with pytest.raises(UnstorableError, match=r"Measured\.price"):
        assert_survives_storage(Measured(price=Decimal("NaN")))


@dataclass(frozen=True, kw_only=True)
class WeighedElsewhere(DomainEvent):
    """Told by another service."""

    event_source = "scales"
    event_type = "WeighedElsewhere"

    grams: int


def test_the_kit_reads_what_another_service_tells() -> None:
    assert_survives_storage(WeighedElsewhere(grams=5))


@dataclass(frozen=True, kw_only=True)
class Weighed(DomainEvent):
    """Told by the command below."""

    grams: Decimal
    unit: Literal["g"] = "g"


@dataclass(frozen=True)
class Weigh(ICommand[UUID]):
    """Publish what was weighed."""

    grams: Decimal


@command_handler(Weigh)
@transactional()
class WeighHandler(BaseCommandHandler[Weigh, UUID]):
    """Publish it."""

    async def _handle(self, command: Weigh) -> UUID:
        event = Weighed(grams=command.grams)
        await self.bus.publish_event(event)
        return event.event_id


async def test_the_command_fails_and_nothing_is_stored(service: RunningService) -> None:
    service.bus.register_command_handler(Weigh, WeighHandler())
    refused = await service.bus.execute_command(Weigh(Decimal("NaN")))
    assert refused.status is OperationStatus.FAILED
    stored = await service.bus.execute_command(Weigh(Decimal(1)))
    assert stored.is_success
    database = await service.container.get(Database)
    async with database.reading() as session:
        log = (await session.execute(select(event_log.c.id).where(event_log.c.event_type == "Weighed"))).scalars().all()
    assert log == [stored.unwrap()]


async def test_fakes_refuse_it_too() -> None:
    bus = MemoryBus(WeighHandler)
    assert (await bus.execute_command(Weigh(Decimal("NaN")))).status is OperationStatus.FAILED
    assert bus.units.events == []


@given(st.uuids())
@A_FEW
def test_an_id_of_the_driver_s_own_class_is_an_id(value: UUID) -> None:
    class DriverUUID(UUID):
        """As asyncpg has one."""

    event = event_of("UUID")(value=DriverUUID(int=value.int))  # type: ignore[call-arg]
    assert payload_of(event) == {"value": str(value)}
    assert uuid4() != value
