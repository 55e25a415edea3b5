from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, Field

from app.core.cqrs import ICommand, IQuery, OperationStatus, PolicyError, validate_input
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, handler_of


class Schema(BaseModel):
    """What the fields of `Do` must be."""

    what: str = Field(max_length=10)


class NumberSchema(BaseModel):
    number: int


def wrong(message: Any) -> dict[str, str]:
    return {"what": "is wrong"} if message.what == "wrong" else {}


async def wrong_slowly(message: Any) -> dict[str, str]:
    return wrong(message)


def wrong_as_object(message: Any) -> Any:
    return SimpleNamespace(errors=wrong(message))


class Verdict:
    """Errors that are true where there are none."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors

    def __bool__(self) -> bool:
        return not self.errors


def wrong_as_verdict(message: Any) -> Verdict:
    return Verdict(wrong(message))


def wrong_or_none(message: Any) -> dict[str, str] | None:
    return wrong(message) or None


async def wrong_or_none_slowly(message: Any) -> dict[str, str] | None:
    return wrong(message) or None


class SlowValidator:
    """A validator with dependencies of its own."""

    async def __call__(self, message: Any) -> dict[str, str]:
        return wrong(message)


VALIDATORS = [
    wrong,
    wrong_slowly,
    wrong_as_object,
    wrong_as_verdict,
    wrong_or_none,
    wrong_or_none_slowly,
    SlowValidator(),
    partial(wrong_slowly),
    lambda message: wrong_slowly(message),
]


@pytest.mark.parametrize("validator", VALIDATORS)
@pytest.mark.parametrize("own", [Do, DoMore], ids=["with validate()", "without"])
async def test_a_function_checks_beside_the_message_itself(validator: Any, own: Any) -> None:
    did: list[Any] = []
    bus = MemoryBus(handler_of(own, did.append, validate_input(validator)))
    result = await bus.execute_command(own("wrong"))
    assert (result.status, result.errors) == (OperationStatus.VALIDATION_ERROR, {"what": "is wrong"})
    assert did == []
    assert (await bus.execute_command(own("right"))).is_success
    assert len(did) == 1


@pytest.mark.parametrize("answer", [False, True, [], ["is wrong"], "is wrong", SimpleNamespace(errors=["is wrong"])])
async def test_an_answer_that_says_nothing_of_fields_is_a_bug(answer: Any) -> None:
    bus = MemoryBus(handler_of(DoMore, lambda _: "done", validate_input(lambda _: answer)))
    result = await bus.execute_command(DoMore())
    assert (result.status, result.data) == (OperationStatus.FAILED, None)
    assert "neither error messages by field" in str(result.error_message)


async def test_what_the_message_says_of_itself_comes_first() -> None:
    asked: list[Any] = []
    bus = MemoryBus(handler_of(Do, lambda _: "done", validate_input(lambda message: asked.append(message))))
    assert (await bus.execute_command(Do(""))).errors == {"what": "is empty"}
    assert asked == []


async def _slowly(self: Any) -> dict[str, str]:
    return {"what": "is wrong"} if self.what == "wrong" else {}


OWN_CHECKS: list[Any] = [_slowly, wrong, wrong_as_object, wrong_as_verdict, wrong_or_none]


@pytest.mark.parametrize("validate", OWN_CHECKS)
@pytest.mark.parametrize("base", [ICommand, IQuery])
async def test_a_message_checks_itself(base: Any, validate: Any) -> None:
    message: Any = dataclass(type("Checked", (base,), {"__annotations__": {"what": str}, "validate": validate}))
    did: list[Any] = []
    bus = MemoryBus(handler_of(message, did.append))
    result: Any = await bus.execute(message("wrong"))
    assert (result.status, result.errors) == (OperationStatus.VALIDATION_ERROR, {"what": "is wrong"})
    assert result.error_message == "Some fields are not valid."
    assert (await bus.execute(message("right"))).is_success
    assert len(did) == 1


async def test_a_message_without_checks_has_no_step_for_them() -> None:
    bus = MemoryBus(handler_of(DoMore, lambda _: "done"))
    assert "validation" not in bus.describe()["commands"]["DoMore"]["steps"]


async def test_a_schema_checks_the_fields() -> None:
    bus = MemoryBus(handler_of(Do, lambda _: "done", validate_input(schema_class=Schema)))
    assert (await bus.execute_command(Do("short"))).is_success
    result = await bus.execute_command(Do("much too long"))
    assert result.status is OperationStatus.VALIDATION_ERROR
    assert list(result.errors) == ["what"]
    assert "at most 10" in result.errors["what"]
    assert "much too long" not in repr(result), "what was sent is not echoed"


@pytest.mark.parametrize(("strict", "status"), [(True, "VALIDATION_ERROR"), (False, "SUCCESS")])
async def test_strict_is_that_of_pydantic(strict: bool, status: str) -> None:
    @dataclass
    class Numbered(ICommand[str]):
        number: Any

    decorator = validate_input(schema_class=NumberSchema, strict=strict)
    bus = MemoryBus(handler_of(Numbered, lambda _: "done", decorator))
    assert (await bus.execute_command(Numbered("7"))).status is OperationStatus[status]
    assert (await bus.execute_command(Numbered(7))).is_success


async def test_strict_is_the_default() -> None:
    @dataclass
    class Numbered(ICommand[str]):
        number: Any

    bus = MemoryBus(handler_of(Numbered, lambda _: "done", validate_input(schema_class=NumberSchema)))
    assert (await bus.execute_command(Numbered("7"))).is_failure


async def test_a_rule_of_the_whole_schema_is_told_as_one_of_the_message() -> None:
    from pydantic import model_validator

    class Whole(BaseModel):
        what: str

        @model_validator(mode="after")
        def never(self) -> Any:
            raise ValueError("no")

    bus = MemoryBus(handler_of(Do, lambda _: "done", validate_input(schema_class=Whole)))
    assert list((await bus.execute_command(Do())).errors) == ["message"]


async def test_function_and_schema_may_be_given_both() -> None:
    bus = MemoryBus(handler_of(Do, lambda _: "done", validate_input(wrong, Schema)))
    assert (await bus.execute_command(Do("wrong"))).errors == {"what": "is wrong"}
    assert (await bus.execute_command(Do("much too long"))).is_failure
    assert (await bus.execute_command(Do("right"))).is_success


async def test_queries_are_checked_too() -> None:
    bus = MemoryBus(
        handler_of(Ask, lambda _: "x", validate_input(lambda query: {"page": "is odd"} if query.page % 2 else {}))
    )
    assert (await bus.execute_query(Ask(page=1))).errors == {"page": "is odd"}
    assert (await bus.execute_query(Ask(page=2))).is_success


@pytest.mark.parametrize(
    ("decorator", "message", "sentence"),
    [
        (validate_input(), Do, "DoHandler: @validate_input needs a validator_func or a schema_class"),
        (validate_input(wrong), Happened, "for commands and queries"),
    ],
)
def test_what_cannot_work_is_refused(decorator: Any, message: type, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        MemoryBus(handler_of(message, lambda _: None, decorator))
