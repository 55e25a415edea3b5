import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any

import pytest

from app.core.cqrs import (
    BaseCommandHandler,
    ConcurrencyError,
    ConflictError,
    CQRSBus,
    DomainEvent,
    ICommand,
    IQuery,
    OperationStatus,
    PolicyError,
    ServiceUnavailableError,
    TransientError,
    retry_on_failure,
    transactional,
)
from app.core.cqrs.testing import MemoryBus, MemoryUnitsOfWork, SimpleScope
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, handler_of, raising, within_patience

BUSY = TransientError("Busy.")
AT_ONCE: dict[str, Any] = {"delay_seconds": 0}


def failing(times: int, error: Exception = BUSY) -> Any:
    """Work that fails so many times and then answers how often it was tried."""
    tries: list[Any] = []

    def handle(message: Any) -> str:
        tries.append(message)
        if len(tries) <= times:
            raise error
        return f"try {len(tries)}"

    handle.tries = tries  # type: ignore[attr-defined]
    return handle


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest waits that could be drawn; none is really waited."""
    waited: list[float] = []

    def draw(low: float, high: float) -> float:
        assert low == 0, "full jitter begins at no wait at all"
        return high

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(random, "uniform", draw)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waited


@pytest.mark.parametrize("message", [Do(), Ask()], ids=["command", "query"])
@pytest.mark.parametrize(
    ("failures", "attempts", "tried"), [(0, 3, 1), (1, 3, 2), (2, 3, 3), (3, 3, 3), (9, 5, 5), (1, 1, 1)]
)
async def test_it_is_tried_so_often_in_all(message: Any, failures: int, attempts: int, tried: int) -> None:
    handle = failing(failures)
    bus = MemoryBus(handler_of(type(message), handle, retry_on_failure(attempts, **AT_ONCE)))
    result: Any = await bus.execute(message)
    assert len(handle.tries) == tried
    assert result.is_success is (failures < attempts)
    if result.is_success:
        assert result.data == f"try {tried}"
    else:
        assert (result.status, result.error_message) == (OperationStatus.UNAVAILABLE, "Busy.")


async def test_three_attempts_are_the_default(waits: list[float]) -> None:
    handle = failing(9)
    await MemoryBus(handler_of(Do, handle, retry_on_failure())).execute_command(Do())
    assert len(handle.tries) == 3
    assert waits == [1.0, 2.0], "1 s, doubled each time"


@pytest.mark.parametrize(
    "error", [ServiceUnavailableError("No."), ConflictError("No."), TimeoutError(), ZeroDivisionError()]
)
async def test_only_what_may_pass_is_tried_again(error: Exception) -> None:
    handle = failing(1, error)
    await MemoryBus(handler_of(Do, handle, retry_on_failure(**AT_ONCE))).execute_command(Do())
    assert len(handle.tries) == 1


async def test_retry_on_names_the_errors_and_their_children() -> None:
    class Worse(ConnectionError):
        pass

    handle = failing(2, Worse())
    decorator = retry_on_failure(retry_on=[ConnectionError], **AT_ONCE)
    assert (await MemoryBus(handler_of(Do, handle, decorator)).execute_command(Do())).data == "try 3"


async def test_what_retry_on_names_is_all_there_is() -> None:
    handle = failing(1, BUSY)
    decorator = retry_on_failure(retry_on=[ConnectionError], **AT_ONCE)
    assert (await MemoryBus(handler_of(Do, handle, decorator)).execute_command(Do())).is_failure


async def test_another_error_ends_it() -> None:
    errors = [BUSY, ConflictError("Taken."), BUSY]
    tried: list[Exception] = []

    def handle(_: Do) -> None:
        tried.append(errors[len(tried)])
        raise tried[-1]

    result = await MemoryBus(handler_of(Do, handle, retry_on_failure(**AT_ONCE))).execute_command(Do())
    assert result.status is OperationStatus.CONFLICT
    assert len(tried) == 2


async def test_waits_grow_by_the_multiplier_and_are_drawn_from_zero_up(waits: list[float]) -> None:
    decorator = retry_on_failure(max_attempts=5, delay_seconds=0.5, backoff_multiplier=3.0)
    await MemoryBus(handler_of(Do, raising(BUSY), decorator)).execute_command(Do())
    assert waits == [0.5, 1.5, 4.5, 13.5]


async def test_no_wait_is_longer_than_half_a_minute(waits: list[float]) -> None:
    decorator = retry_on_failure(max_attempts=4, delay_seconds=20, backoff_multiplier=1e300)
    await MemoryBus(handler_of(Do, raising(BUSY), decorator, timeout_seconds=None)).execute_command(Do())
    assert waits == [20, 30, 30]


async def test_what_was_drawn_is_waited(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high / 4)
    await MemoryBus(handler_of(Do, failing(2), retry_on_failure(delay_seconds=8))).execute_command(Do())
    assert waits == [2.0, 4.0]


async def test_each_attempt_has_a_scope_a_transaction_and_a_handler_of_its_own() -> None:
    class Trying(BaseCommandHandler[Do, str]):
        scope: SimpleScope

        async def _handle(self, command: Do) -> str:
            assert not hasattr(self, "used")
            self.used = True
            assert self.scope.opened == self.scope.closed + 1
            if self.scope.opened < 3:
                raise BUSY
            return "done"

    bus = MemoryBus()
    bus.scope.given.append(bus.scope)
    bus.register_command_handler(Do, retry_on_failure(**AT_ONCE)(transactional()(Trying)))
    assert (await bus.execute_command(Do())).unwrap() == "done"
    assert bus.units.journal == ["begin", "rollback", "begin", "rollback", "begin", "commit"]
    assert (bus.scope.opened, bus.scope.closed) == (3, 3)


async def test_nothing_is_held_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus(handler_of(Do, failing(1), transactional(), retry_on_failure()))
    seen: list[Any] = []

    async def sleep(seconds: float) -> None:
        seen.append((bus.scope.opened, bus.scope.closed, bus.units.journal[:]))

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await bus.execute_command(Do())
    assert seen == [(1, 1, ["begin", "rollback"])]


async def test_a_commit_that_fails_is_tried_again() -> None:
    bus = MemoryBus(handler_of(Do, failing(0), transactional(), retry_on_failure(**AT_ONCE)))
    bus.units.fail_commits(2)
    assert (await bus.execute_command(Do())).data == "try 3"
    assert bus.units.journal == ["begin", "rollback", "begin", "rollback", "begin", "commit"]


@pytest.mark.parametrize("failing_tries", [0, 1])
async def test_what_may_have_been_committed_is_never_tried_again(failing_tries: int) -> None:
    class Broken(SimpleScope):
        @asynccontextmanager
        async def __call__(self) -> AsyncIterator[Any]:
            yield self
            raise TransientError("The scope does not close.")

    units, handle = MemoryUnitsOfWork(), failing(failing_tries)
    bus = CQRSBus(scope=Broken(), unit_of_work=units)
    bus.register(handler_of(Do, handle, transactional(), retry_on_failure(**AT_ONCE)))
    assert (await bus.execute_command(Do())).is_success
    assert units.journal == [*["begin", "rollback"] * failing_tries, "begin", "commit"]


async def test_what_was_committed_despite_an_error_is_not_tried_again() -> None:
    decorators = (transactional(rollback_on=[]), retry_on_failure(retry_on=[ConflictError], **AT_ONCE))
    bus = MemoryBus(handler_of(Do, raising(ConflictError("No.")), *decorators))
    assert (await bus.execute_command(Do())).status is OperationStatus.CONFLICT
    assert bus.units.journal == ["begin", "commit"]


async def test_nobody_waits_for_a_deadline_that_comes_first(waits: list[float]) -> None:
    handle = failing(9)
    decorator = retry_on_failure(max_attempts=9, delay_seconds=1, backoff_multiplier=10)
    handler = handler_of(Do, handle, decorator, timeout_seconds=5)
    result = await within_patience(MemoryBus(handler).execute_command(Do()))
    assert result.status is OperationStatus.UNAVAILABLE
    assert len(handle.tries) == 2
    assert waits == [1]


async def test_the_deadline_bounds_all_attempts_together() -> None:
    failed = failing(1)

    async def handle(message: Do) -> str:
        failed(message)
        await asyncio.Event().wait()
        return "never"

    handler = handler_of(Do, handle, retry_on_failure(max_attempts=9, **AT_ONCE), timeout_seconds=0.3)
    result = await within_patience(MemoryBus(handler).execute_command(Do()))
    assert result.status is OperationStatus.TIMEOUT
    assert len(failed.tries) == 2


async def test_inside_another_operation_that_one_tries_again(cqrs_bus: MemoryBus) -> None:
    inner = failing(2)
    outer_tries: list[int] = []

    async def outer(_: Do) -> str:
        outer_tries.append(1)
        return (await cqrs_bus.execute_command(DoMore())).unwrap()

    cqrs_bus.register(handler_of(Do, outer, transactional(), retry_on_failure(**AT_ONCE)))
    cqrs_bus.register(handler_of(DoMore, inner, transactional(), retry_on_failure(max_attempts=9, **AT_ONCE)))
    assert (await cqrs_bus.execute_command(Do())).data == "try 3"
    assert len(outer_tries) == 3


async def test_inside_an_operation_that_does_not_try_again_neither_does_it(cqrs_bus: MemoryBus) -> None:
    async def outer(_: Do) -> str:
        return (await cqrs_bus.execute_command(DoMore())).unwrap()

    inner = failing(1)
    cqrs_bus.register(handler_of(Do, outer))
    cqrs_bus.register(handler_of(DoMore, inner, retry_on_failure(**AT_ONCE)))
    assert (await cqrs_bus.execute_command(Do())).is_failure
    assert len(inner.tries) == 1


@pytest.mark.parametrize(
    ("error", "tries"), [(TransientError("Away."), 2), (ConcurrencyError("Changed."), 2), (ConflictError("Taken."), 1)]
)
async def test_what_a_query_in_a_task_met_is_tried_again_as_in_the_handler_itself(
    cqrs_bus: MemoryBus, error: Exception, tries: int
) -> None:
    made: list[str] = []

    def look_up(_: Ask) -> str:
        made.append("try")
        if len(made) == 1:
            raise error
        return "found"

    async def gather(_: Do) -> str | None:
        (found,) = await asyncio.gather(cqrs_bus.execute_query(Ask()))
        return found.unwrap()

    cqrs_bus.register(handler_of(Ask, look_up))
    cqrs_bus.register(handler_of(Do, gather, retry_on_failure(**AT_ONCE)))
    assert (await cqrs_bus.execute_command(Do())).is_success is (tries == 2)
    assert len(made) == tries


async def test_a_reaction_is_tried_again_too(cqrs_bus: MemoryBus) -> None:
    handle = failing(1)
    cqrs_bus.register(handler_of(Happened, handle, retry_on_failure(**AT_ONCE)))
    await cqrs_bus.publish_event(Happened())
    await cqrs_bus.settled()
    assert len(handle.tries) == 2


@dataclass
class Add(ICommand[str]):
    what: list[str]
    where: dict[str, int]
    tags: set[str]


@dataclass(frozen=True)
class Find(IQuery[str]):
    what: Sequence[str]
    where: Mapping[str, int]
    tags: Any


@dataclass(frozen=True, kw_only=True)
class Added(DomainEvent):
    what: list[str]
    where: dict[str, int]
    tags: set[str]


@pytest.mark.parametrize("message_type", [Add, Find, Added])
async def test_each_attempt_gets_the_message_as_it_was_sent(cqrs_bus: MemoryBus, message_type: Any) -> None:
    seen: list[Any] = []

    def handle(message: Any) -> str:
        assert {*vars(message)} - {"_metadata"} == {field.name for field in fields(message)}
        seen.append((list(message.what), dict(message.where), set(message.tags)))
        message.what.append("more")
        message.where["more"] = 1
        if isinstance(message, Add):  # the others are frozen
            message.tags = set()
        else:
            message.tags.clear()
        if len(seen) < 3:
            raise BUSY
        return "done"

    cqrs_bus.register(handler_of(message_type, handle, retry_on_failure(**AT_ONCE)))
    message = message_type(what=["this"], where={"here": 1}, tags={"new"})
    await (cqrs_bus.publish_event if message_type is Added else cqrs_bus.execute)(message)
    await cqrs_bus.settled()
    assert seen == [(["this"], {"here": 1}, {"new"})] * 3


async def test_an_instance_is_tried_again_as_it_is() -> None:
    handler = handler_of(Do, failing(2), retry_on_failure(**AT_ONCE))()
    bus = CQRSBus()
    bus.register_command_handler(Do, handler)
    assert (await bus.execute_command(Do())).data == "try 3"


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"max_attempts": 0}, "DoHandler: max_attempts=0 would never try"),
        ({"max_attempts": -1}, "would never try"),
        ({"delay_seconds": -1}, "delay_seconds must not be negative"),
        ({"backoff_multiplier": 0.5}, "backoff_multiplier must be at least 1"),
        ({"retry_on": []}, r"retry_on=\[\]"),
        ({"retry_on": [Exception]}, "retry_on contains Exception"),
        ({"retry_on": [TransientError, Exception]}, "retry_on contains Exception"),
        ({"retry_on": [BaseException]}, "retry_on contains BaseException"),
        ({"retry_on": [asyncio.CancelledError]}, "retry_on contains CancelledError"),
    ],
)
def test_what_cannot_work_is_refused(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        MemoryBus(handler_of(Do, lambda _: "done", retry_on_failure(**parameters)))
