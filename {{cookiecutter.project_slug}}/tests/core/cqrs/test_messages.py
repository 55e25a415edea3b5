import dataclasses
import json
import pickle
from copy import copy, deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pydantic.dataclasses
import pytest

from app.core.cqrs import DomainEvent, ICommand, IQuery
from app.core.cqrs.messages import name_of
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, handler_of, sent_by


@dataclass
class Plain(ICommand[int]):
    number: int
    words: list[str] = dataclasses.field(default_factory=list)


@dataclass(frozen=True)
class Frozen(ICommand[int]):
    number: int
    words: list[str] = dataclasses.field(default_factory=list)


@dataclass(slots=True)
class Slotted(ICommand[int]):
    number: int
    words: list[str] = dataclasses.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FrozenSlotted(IQuery[int]):
    number: int
    words: list[str] = dataclasses.field(default_factory=list)


@dataclass(kw_only=True)
class KeywordOnly(IQuery[int]):
    number: int
    words: list[str] = dataclasses.field(default_factory=list)


@pydantic.dataclasses.dataclass
class Pydantic(ICommand[int]):
    number: int
    words: list[str] = dataclasses.field(default_factory=list)


@pydantic.dataclasses.dataclass(frozen=True, slots=True)
class PydanticFrozenSlotted(ICommand[int]):
    number: int
    words: list[str] = dataclasses.field(default_factory=list)


@dataclass(slots=True)
class SlottedChild(Slotted):
    more: str = ""


@dataclass
class PlainChildOfSlotted(Slotted):
    more: str = ""


KINDS: list[Any] = [
    Plain,
    Frozen,
    Slotted,
    FrozenSlotted,
    KeywordOnly,
    Pydantic,
    PydanticFrozenSlotted,
    SlottedChild,
    PlainChildOfSlotted,
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@every_kind
def test_metadata_is_made_on_first_use_and_stays(kind: Any) -> None:
    message = kind(number=1)
    assert not hasattr(message, "_metadata")
    metadata = message.metadata
    assert metadata is message.metadata
    assert UUID(metadata.operation_id).version == 4
    assert metadata.timestamp.tzinfo is UTC
    assert abs(datetime.now(UTC) - metadata.timestamp).total_seconds() < 5
    assert metadata.correlation_id == metadata.operation_id
    assert (metadata.user_id, metadata.causation_id, metadata.idempotency_key, metadata.source) == (None,) * 4
    assert metadata.version == 1


@every_kind
def test_metadata_can_be_assigned_to(kind: Any) -> None:
    message = kind(number=1)
    message.metadata.user_id = "ada"
    message.metadata.source = "worker"
    assert (message.metadata.user_id, message.metadata.source) == ("ada", "worker")


@every_kind
def test_metadata_is_no_part_of_equality_and_repr(kind: Any) -> None:
    one, other = kind(number=1), kind(number=1)
    one.metadata.user_id = "ada"
    assert one == other
    assert repr(one) == repr(other)
    assert "metadata" not in {field.name for field in dataclasses.fields(one)}


@every_kind
@pytest.mark.parametrize("duplicate", [copy, deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_has_metadata_of_its_own_that_says_the_same(kind: Any, duplicate: Any) -> None:
    message = kind(number=1, words=["a"])
    message.metadata.user_id = "ada"
    twin = duplicate(message)
    assert twin == message
    assert type(twin) is kind
    assert twin.metadata == message.metadata
    twin.metadata.user_id = "bob"
    assert message.metadata.user_id == "ada"


@every_kind
def test_a_copy_of_a_message_without_metadata_has_none_either(kind: Any) -> None:
    assert not hasattr(copy(kind(number=1)), "_metadata")


@every_kind
def test_only_a_deep_copy_has_its_own_values(kind: Any) -> None:
    message = kind(number=1, words=["a"])
    assert copy(message).words is message.words
    assert deepcopy(message).words is not message.words


@every_kind
def test_replace_starts_afresh(kind: Any) -> None:
    message = kind(number=1)
    message.metadata.user_id = "ada"
    changed = dataclasses.replace(message, number=2)
    assert changed.number == 2
    assert changed.metadata.user_id is None
    assert changed.metadata.operation_id != message.metadata.operation_id


def test_a_field_called_metadata_is_refused() -> None:
    with pytest.raises(TypeError, match="Bad has a field called metadata.*name it otherwise"):

        class Bad(ICommand[int]):
            metadata: str  # type: ignore[assignment]  # that is the point


def test_an_attribute_called_metadata_is_refused() -> None:
    with pytest.raises(TypeError, match="metadata"):
        type("Bad", (IQuery,), {"metadata": 1})


def test_messages_are_named_after_their_class() -> None:
    assert Do().get_command_name() == "Do"
    assert Ask().get_query_name() == "Ask"


def test_a_message_may_have_another_name() -> None:
    class Renamed(ICommand[int]):
        def get_command_name(self) -> str:
            return "users.create"

    class Renamed2(IQuery[int]):
        def get_query_name(self) -> str:
            return "users.get"

    assert (name_of(Renamed()), name_of(Renamed2()), name_of(Happened())) == ("users.create", "users.get", "Happened")


def test_what_a_message_says_of_itself_by_default() -> None:
    assert Plain(1).validate() == {}
    assert Plain(1).get_aggregate_id() is None
    assert KeywordOnly(number=1).get_cache_key() is None
    assert KeywordOnly(number=1).get_cache_ttl() is None


def test_a_message_knows_the_type_of_its_answer() -> None:
    assert Plain.answer_type() is int
    assert Ask.answer_type() == str | None
    assert type("Untyped", (ICommand,), {}).answer_type() is Any  # type: ignore[attr-defined]


async def test_a_message_made_while_another_is_handled_is_caused_by_it(cqrs_bus: MemoryBus) -> None:
    made = []
    cqrs_bus.register(handler_of(Do, lambda command: made.append(DoMore().metadata)))
    command = sent_by("ada", Do(), source="http", idempotency_key="once", traceparent="00-1-2-01")
    await cqrs_bus.execute_command(command)
    (metadata,) = made
    assert metadata.user_id == "ada"
    assert metadata.source == "http"
    assert metadata.traceparent == "00-1-2-01"
    assert metadata.causation_id == command.metadata.operation_id
    assert metadata.correlation_id == command.metadata.correlation_id
    assert metadata.operation_id != command.metadata.operation_id
    assert metadata.idempotency_key is None


async def test_a_correlation_goes_on_through_all_that_follows(cqrs_bus: MemoryBus) -> None:
    seen = []

    async def handle(command: Do) -> str:
        return (await cqrs_bus.execute_command(DoMore())).unwrap()

    cqrs_bus.register(handler_of(Do, handle))
    cqrs_bus.register(handler_of(DoMore, lambda command: seen.append(command.metadata)))
    await cqrs_bus.execute_command(sent_by(None, Do(), correlation_id="request 7"))
    assert seen[0].correlation_id == "request 7"


def test_an_event_has_an_id_that_sorts_by_time_and_a_time() -> None:
    first, second = Happened(), Happened()
    assert first.event_id.version == 7
    assert first.event_id < second.event_id
    assert first.occurred_at.tzinfo is UTC


def test_an_event_type_is_the_class_name_unless_the_class_sets_another() -> None:
    @dataclass(frozen=True)
    class Renamed(DomainEvent):
        event_type = "user.created"

    @dataclass(frozen=True)
    class Child(Renamed):
        pass

    assert Happened().event_type == "Happened"
    assert Renamed().event_type == "user.created"
    assert Child().event_type == "Child"


def test_an_event_survives_json() -> None:
    adapter = pydantic.TypeAdapter(Happened)
    event = Happened(what="x")
    assert adapter.validate_json(adapter.dump_json(event)) == event
    assert json.loads(adapter.dump_json(event))["event_id"] == str(event.event_id)


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Happened().what = "other"  # type: ignore[misc]  # that is the point
