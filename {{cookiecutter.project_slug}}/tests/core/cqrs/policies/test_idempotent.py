from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest
from pydantic import SecretStr

from app.core import canonical_json
from app.core.cqrs import (
    BaseCommandHandler,
    BusinessRuleViolationError,
    CommandResult,
    ConflictError,
    CQRSBus,
    CQRSError,
    ICommand,
    OperationStatus,
    PolicyError,
    authorize,
    command_handler,
    idempotent,
    invalidates,
    retry_on_failure,
    savepoint,
    transactional,
)
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, DoMore, Thing, handler_of, may, sent_by, together


class Working:
    """Work that counts its effects, and fails while it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.effects = 0
        self.failures = list(failures)

    async def __call__(self, message: Any) -> str:
        self.effects += 1
        if self.failures:
            raise self.failures.pop(0)
        return f"effect {self.effects}"


def bus_with(work: Any, *decorators: Any, message: Any = Do, required: bool = False) -> MemoryBus:
    return MemoryBus(handler_of(message, work, transactional(), idempotent(required), *decorators))


def keyed(message: Any = None, key: str | None = "key", user: str | None = None) -> Any:
    return sent_by(user, message or Do(), idempotency_key=key)


async def test_the_same_key_has_one_effect_and_one_answer() -> None:
    work = Working()
    bus = bus_with(work)
    results = [await bus.execute_command(keyed()) for _ in range(3)]
    assert [result.unwrap() for result in results] == ["effect 1"] * 3
    assert [result.is_replay for result in results] == [False, True, True]
    assert work.effects == 1


async def test_the_claim_is_the_first_write_and_the_answer_is_stored_with_the_effect() -> None:
    def work(_: Do) -> str:
        bus.units.track(Thing("1")).change()
        return "done"

    bus: MemoryBus = bus_with(work)
    await bus.execute_command(keyed())
    await bus.execute_command(keyed())
    assert bus.units.journal == ["begin", "claim key", "record Happened", "commit", "begin", "claim key", "commit"]
    assert len(bus.units.events) == 1


async def test_of_many_at_once_one_has_an_effect() -> None:
    work = Working()
    bus = bus_with(work)
    results = await together(*(bus.execute_command(keyed()) for _ in range(50)))
    assert {result.unwrap() for result in results} == {"effect 1"}


async def test_without_a_key_each_has_its_effect() -> None:
    work = Working()
    bus = bus_with(work)
    await bus.execute_command(Do())
    await bus.execute_command(Do())
    assert work.effects == 2
    assert "claim key" not in bus.units.journal


async def test_a_key_may_be_required() -> None:
    work = Working()
    bus = bus_with(work, required=True)
    result = await bus.execute_command(Do())
    assert result.status is OperationStatus.BAD_REQUEST
    assert list(result.errors) == ["idempotency_key"]
    assert (await bus.execute_command(keyed())).unwrap() == "effect 1"


async def test_keys_callers_and_types_of_messages_are_kept_apart() -> None:
    work = Working()
    bus = bus_with(work)
    bus.register(handler_of(DoMore, work, transactional(), idempotent()))
    for _ in range(2):
        for message in (
            keyed(),
            keyed(key="other"),
            keyed(user="ada"),
            keyed(user="bob"),
            keyed(DoMore("this")),
        ):
            assert (await bus.execute(message)).is_success
    assert work.effects == 5


async def test_commands_of_one_name_in_different_modules_are_kept_apart() -> None:
    work = Working()

    @dataclass
    class Namesake(Do):
        __qualname__ = Do.__qualname__
        __module__ = "elsewhere"

    bus = bus_with(work)
    bus.register(handler_of(Namesake, work, transactional(), idempotent()))
    await bus.execute_command(keyed(Do()))
    assert (await bus.execute_command(keyed(Namesake()))).unwrap() == "effect 2"


async def test_the_first_answer_is_made_of_the_stored_form_too() -> None:
    @dataclass
    class Weigh(ICommand[float]):
        pass

    bus = MemoryBus(handler_of(Weigh, lambda _: 7, transactional(), idempotent()))
    results = [await bus.execute_command(keyed(Weigh())) for _ in range(2)]
    assert [type(result.data) for result in results] == [float, float]


async def test_an_answer_that_cannot_be_read_again_is_a_bug_the_first_time() -> None:
    @dataclass
    class Measure(ICommand[float]):
        pass

    bus = MemoryBus(handler_of(Measure, lambda _: float("nan"), transactional(), idempotent()))
    assert (await bus.execute_command(keyed(Measure()))).status is OperationStatus.FAILED
    assert bus.units.journal[-1] == "rollback"


async def test_another_message_under_the_same_key_is_refused() -> None:
    work = Working()
    bus = bus_with(work)
    await bus.execute_command(keyed(Do("one")))
    result = await bus.execute_command(keyed(Do("other")))
    assert result.status is OperationStatus.VALIDATION_ERROR
    assert list(result.errors) == ["idempotency_key"]
    assert work.effects == 1


@dataclass
class Unlock(ICommand[str]):
    pin: SecretStr


async def test_another_secret_under_the_same_key_is_refused() -> None:
    bus = bus_with(Working(), message=Unlock)
    assert (await bus.execute_command(keyed(Unlock(SecretStr("1111"))))).is_success
    assert (await bus.execute_command(keyed(Unlock(SecretStr("2222"))))).status is OperationStatus.VALIDATION_ERROR
    assert (await bus.execute_command(keyed(Unlock(SecretStr("1111"))))).is_replay


@dataclass
class Pack(ICommand[str]):
    what: str


@dataclass
class PackWell(ICommand[str]):
    """What the next release makes of `Pack`."""

    command_name: ClassVar[str] = "Pack"

    what: str
    colour: str = "brown"
    is_fragile: bool | None = None
    labels: list[str] = field(default_factory=list)


@pytest.mark.parametrize("forward", [True, False])
async def test_a_new_field_with_a_default_does_not_make_a_repeated_command_another(forward: bool) -> None:
    releases: list[tuple[type[Pack | PackWell], MemoryBus]] = [
        (message, bus_with(Working(), message=message)) for message in (Pack, PackWell)
    ]
    (first, here), (then, there) = releases if forward else reversed(releases)
    await here.execute_command(keyed(first("cup")))
    there.units.answers = here.units.answers
    assert (await there.execute_command(keyed(then("cup")))).is_replay


@pytest.mark.parametrize("more", [{"colour": "red"}, {"is_fragile": False}, {"labels": ["up"]}])
async def test_a_field_that_has_another_value_than_its_default_does(more: dict[str, Any]) -> None:
    bus = bus_with(Working(), message=PackWell)
    await bus.execute_command(keyed(PackWell("cup")))
    assert (await bus.execute_command(keyed(PackWell("cup", **more)))).status is OperationStatus.VALIDATION_ERROR


@dataclass
class Draw(ICommand[str]):
    drum: ClassVar[str] = "left"
    lot: str = field(default_factory=lambda: Draw.drum)


async def test_a_default_that_differs_in_another_process_is_a_value_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = bus_with(Working(), message=Draw)
    await bus.execute_command(keyed(Draw()))
    monkeypatch.setattr(Draw, "drum", "right")
    canonical_json._defaults_of.cache_clear()
    assert (await bus.execute_command(keyed(Draw("left")))).is_replay
    assert (await bus.execute_command(keyed(Draw()))).status is OperationStatus.VALIDATION_ERROR


async def test_what_was_rolled_back_is_not_replayed() -> None:
    work = Working(BusinessRuleViolationError("Not now."), ZeroDivisionError())
    bus = bus_with(work)
    statuses = [(await bus.execute_command(keyed())).status.name for _ in range(4)]
    assert statuses == ["BUSINESS_RULE", "FAILED", "SUCCESS", "SUCCESS"]
    assert work.effects == 3


async def test_a_failed_result_is_not_replayed_either() -> None:
    answers = [CommandResult[str].not_found("No."), "done", "never"]
    bus = bus_with(lambda _: answers.pop(0))
    assert [(await bus.execute_command(keyed())).is_success for _ in range(3)] == [False, True, True]


@pytest.mark.parametrize(
    ("error", "sentence", "errors"),
    [
        (BusinessRuleViolationError("Not now.", details={"limit": Decimal("1.10")}), "Not now.", {"limit": "1.10"}),
        (CQRSError("The pump is off.", details={"pump": 7}), "Something went wrong on our side.", {}),
    ],
)
async def test_a_failure_that_was_committed_is_replayed(error: CQRSError, sentence: str, errors: Any) -> None:
    work = Working(ConflictError("Wait."), error)
    bus = MemoryBus(handler_of(Do, work, idempotent(), transactional(rollback_on=[ConflictError])))
    undone, first, second = [await bus.execute_command(keyed()) for _ in range(3)]
    assert (undone.status, first.status, work.effects) == (OperationStatus.CONFLICT, error.status, 2)
    assert (first.is_replay, second) == (False, first.with_outcome(is_replay=True))
    assert str(second.error_message).startswith(sentence)
    assert second.errors == errors


async def test_a_handler_may_go_on_after_a_replayed_failure_as_after_the_first() -> None:
    work = Working(BusinessRuleViolationError("Not now."))
    bus = MemoryBus(handler_of(DoMore, work, idempotent(), transactional(rollback_on=[])))

    async def outer(_: Do) -> str:
        with suppress(BusinessRuleViolationError):
            await bus.execute_command(keyed(DoMore()))
        return "done"

    bus.register(handler_of(Do, outer, transactional()))
    assert [(await bus.execute_command(Do())).unwrap() for _ in range(2)] == ["done"] * 2
    assert work.effects == 1


async def test_status_and_affected_entities_are_replayed() -> None:
    @dataclass
    class Create(ICommand[UUID]):
        name: str

    @command_handler(Create)
    @transactional()
    @idempotent()
    class CreateHandler(BaseCommandHandler[Create, UUID]):
        """Creates something."""

        async def _handle(self, command: Create) -> Any:
            return self.created(UUID(int=7))

        async def _get_affected_entities(self, command: Create, result: UUID) -> dict[str, Any]:
            return {"id": str(result)}

    bus = MemoryBus(CreateHandler)
    for _ in range(2):
        command = keyed(Create("x"))
        result = await bus.execute_command(command)
        assert (result.status, result.data) == (OperationStatus.CREATED, UUID(int=7))
        assert result.affected_entities == {"id": str(UUID(int=7))}
        assert result.metadata is command.metadata


async def test_one_effect_is_kept_although_a_hook_failed(logs: list[MutableMapping[str, Any]]) -> None:
    async def failing(handler: Any, command: Do, result: str) -> Any:
        raise ZeroDivisionError

    work = Working()
    bus = MemoryBus(handler_of(Do, work, transactional(), idempotent(), _get_affected_entities=failing))
    results = [await bus.execute_command(keyed()) for _ in range(2)]
    assert [result.data for result in results] == ["effect 1", "effect 1"]
    assert [entry["event"] for entry in logs] == ["hook_failed"]


async def test_a_revoked_caller_gets_no_replay() -> None:
    bus = bus_with(Working(), authorize(["a:b"]))
    bus.access.grants["ada"] = may("a:b")
    assert (await bus.execute_command(keyed(user="ada"))).is_success
    bus.access.grants["ada"] = may()
    assert (await bus.execute_command(keyed(user="ada"))).status is OperationStatus.FORBIDDEN


async def test_each_attempt_claims_anew() -> None:
    bus = bus_with(Working(), retry_on_failure(delay_seconds=0))
    bus.units.fail_commits()
    assert (await bus.execute_command(keyed())).unwrap() == "effect 2"
    assert bus.units.journal == ["begin", "claim key", "rollback", "begin", "claim key", "commit"]


async def test_a_replay_makes_nothing_stale() -> None:
    bus = bus_with(Working(), invalidates("users"))
    dropped: list[Any] = []

    async def invalidate(tags: Any) -> None:
        dropped.append(tags)

    bus.cache.invalidate = invalidate  # type: ignore[method-assign]  # notes it only
    await bus.execute_command(keyed())
    await bus.execute_command(keyed())
    assert dropped == [{"users"}]


@pytest.mark.parametrize("decorators", [(), (transactional(),)], ids=["alone", "in its transaction"])
async def test_inside_another_operation_only_a_key_of_its_own_counts(
    cqrs_bus: MemoryBus, decorators: tuple[Any, ...]
) -> None:
    async def outer(command: Do) -> str:
        parts = [keyed(DoMore()) if command.what == "keyed" else DoMore() for _ in range(2)]
        return " ".join([str((await cqrs_bus.execute_command(part)).unwrap()) for part in parts])

    cqrs_bus.register(handler_of(Do, outer, *decorators))
    cqrs_bus.register(handler_of(DoMore, Working(), transactional(), idempotent(required=True)))
    assert (await cqrs_bus.execute_command(Do("plain"))).unwrap() == "effect 1 effect 2"
    for _ in range(2):
        assert (await cqrs_bus.execute_command(Do("keyed"))).unwrap() == "effect 3 effect 3"


async def test_what_a_savepoint_undid_is_not_repeated_but_done_again(cqrs_bus: MemoryBus) -> None:
    async def outer(_: Do) -> str:
        with suppress(ConflictError):
            async with savepoint():
                await cqrs_bus.execute_command(keyed(DoMore()))
                raise ConflictError("No.")
        return str((await cqrs_bus.execute_command(keyed(DoMore()))).unwrap())

    cqrs_bus.register(handler_of(Do, outer, transactional()))
    cqrs_bus.register(handler_of(DoMore, Working(), transactional(), idempotent()))
    assert (await cqrs_bus.execute_command(Do())).unwrap() == "effect 2"


async def test_an_answer_of_another_release_is_not_repeated_nor_is_the_work() -> None:
    work = Working()
    bus = bus_with(work)
    await bus.execute_command(keyed())
    for claim, (content, _) in bus.units.answers.items():
        bus.units.answers[claim] = (content, b'["success", null, null]\n{"another": "form"}')
    result = await bus.execute_command(keyed())
    assert result.status is OperationStatus.CONFLICT
    assert str(result.error_message).startswith("This was done, but by another release")
    assert work.effects == 1


async def test_a_key_of_the_outer_operation_is_not_that_of_what_it_sends(cqrs_bus: MemoryBus) -> None:
    seen: list[Any] = []

    async def outer(_: Do) -> str:
        return (await cqrs_bus.execute_command(DoMore())).unwrap()

    cqrs_bus.register(handler_of(Do, outer))
    cqrs_bus.register(handler_of(DoMore, lambda command: seen.append(command.metadata.idempotency_key)))
    await cqrs_bus.execute_command(keyed())
    assert seen == [None]


@pytest.mark.parametrize("as_instance", [False, True])
async def test_without_a_database_a_key_is_refused_with_a_sentence(as_instance: bool) -> None:
    handler = handler_of(Do, Working(), transactional(), idempotent())
    bus = CQRSBus()
    bus.register_command_handler(Do, handler() if as_instance else handler)
    result = await bus.execute_command(keyed())
    assert result.status is OperationStatus.UNAVAILABLE
    assert "unit_of_work=" in str(result.error_message)
    assert (await bus.execute_command(Do())).unwrap() == "effect 1"


async def test_an_answer_of_another_type_is_a_bug_and_keeps_nothing() -> None:
    bus = bus_with(lambda _: 7)
    assert (await bus.execute_command(keyed())).status is OperationStatus.FAILED
    assert bus.units.journal == ["begin", "claim key", "rollback"]


@dataclass
class Untyped(ICommand):
    pass


@dataclass
class Tagged:
    tags: dict[str, list[frozenset[str]]]


@dataclass
class Tag(ICommand[Tagged | None]):
    pass


@dataclass
class Method:
    label: str


@dataclass
class ByCard(Method):
    pass


@dataclass
class Pay(ICommand[None]):
    by: Method


@pytest.mark.parametrize(
    ("decorators", "message", "sentence"),
    [
        ((idempotent(),), Do, "DoHandler: @idempotent needs @transactional"),
        ((idempotent(),), Ask, "@idempotent is for commands"),
        ((idempotent(), transactional()), Untyped, "the command or the base of its handler must say what it is"),
        ((idempotent(), transactional()), Tag, "a set has no order: answer a list"),
        ((idempotent(), transactional()), Pay, "Pay.by is declared as Method, .* say where it is a ByCard"),
    ],
)
def test_what_cannot_work_is_refused(decorators: Any, message: type, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        MemoryBus(handler_of(message, lambda _: None, *decorators))
