from dataclasses import dataclass
from typing import Any

import pytest

from app.core.cqrs import (
    CommandResult,
    ConflictError,
    CQRSBus,
    ICommand,
    IQuery,
    NextHandler,
    OperationResult,
    OperationStatus,
    PipelineBehavior,
    PolicyError,
    QueryResult,
    transactional,
)
from app.core.cqrs.testing import FixedClock, MemoryBus
from tests.core.cqrs.support import Ask, Do, DoMore, handler_of, raising


@dataclass
class Say(ICommand[str]):
    """A command whose handler sends another."""


class Log(list[str]):
    """What happened, in order."""


def noting(log: list[str], name: str) -> Any:
    async def middleware(operation: Any, next_handler: NextHandler) -> OperationResult[Any]:
        log.append(f"{name} before")
        result = await next_handler()
        log.append(f"{name} after")
        return result

    return middleware


def bus_with(log: list[str], **more: Any) -> MemoryBus:
    bus = MemoryBus(given=[log])
    for message in (Do, DoMore, Ask):
        bus.register(handler_of(message, lambda _: log.append("handler") or "done"))  # type: ignore[func-returns-value]
    return bus


async def test_it_runs_in_the_order_added_outermost_first() -> None:
    log: list[str] = []
    bus = bus_with(log)
    for name in ("one", "two", "three"):
        bus.add_middleware(noting(log, name))
    result = await bus.execute_command(Do())
    assert type(result) is CommandResult
    assert result.unwrap() == "done"
    before = ["one before", "two before", "three before"]
    assert log == [*before, "handler", "three after", "two after", "one after"]


@pytest.mark.parametrize(
    ("method", "seen"),
    [
        ("add_middleware", ["Do", "Ask"]),
        ("add_command_middleware", ["Do"]),
        ("add_query_middleware", ["Ask"]),
    ],
)
async def test_it_may_be_for_commands_or_queries_only(method: str, seen: list[str]) -> None:
    bus, names = bus_with([]), []

    async def middleware(operation: Any, next_handler: NextHandler) -> Any:
        names.append(type(operation).__name__)
        return await next_handler()

    getattr(bus, method)(middleware)
    await bus.execute_command(Do())
    await bus.execute_query(Ask())
    assert names == seen


async def test_it_stands_around_an_instance_too() -> None:
    log: list[str] = []
    bus = CQRSBus()
    bus.register_command_handler(Do, handler_of(Do, lambda _: "done")())
    bus.register_command_handler(DoMore, handler_of(DoMore, lambda _: CommandResult[str].not_found("No."))())
    bus.add_middleware(noting(log, "m"))
    command = Do()
    result = await bus.execute_command(command)
    assert (type(result), result.unwrap(), result.metadata) == (CommandResult, "done", command.metadata)
    assert (await bus.execute_command(DoMore())).error_message == "No."
    assert log == ["m before", "m after"] * 2


async def test_it_can_be_added_to_a_bus_that_is_in_use() -> None:
    log: list[str] = []
    bus = bus_with(log)
    await bus.execute_command(Do())
    bus.add_middleware(noting(log, "late"))
    await bus.execute_command(Do())
    assert log == ["handler", "late before", "handler", "late after"]


async def test_it_may_answer_itself() -> None:
    log: list[str] = []
    bus = bus_with(log)

    async def closed(operation: Any, next_handler: NextHandler) -> Any:
        return OperationResult[Any].failure(OperationStatus.UNAVAILABLE, {}, "We are closed.")

    bus.add_middleware(noting(log, "outer"))
    bus.add_middleware(closed)
    command = Do()
    result = await bus.execute_command(command)
    assert type(result) is CommandResult
    assert (result.status, result.error_message) == (OperationStatus.UNAVAILABLE, "We are closed.")
    assert result.metadata is command.metadata
    assert log == ["outer before", "outer after"]


async def test_it_may_try_again() -> None:
    log: list[str] = []
    bus = bus_with(log)

    async def twice(operation: Any, next_handler: NextHandler) -> Any:
        await next_handler()
        return await next_handler()

    bus.add_middleware(twice)
    bus.add_middleware(noting(log, "inner"))
    assert (await bus.execute_command(Do())).unwrap() == "done"
    assert log == ["inner before", "handler", "inner after"] * 2


async def test_it_sees_real_exceptions_and_may_replace_them() -> None:
    seen: list[Exception] = []
    error = ConflictError("Taken.")
    bus = MemoryBus(handler_of(Do, raising(error)))

    async def watching(operation: Any, next_handler: NextHandler) -> Any:
        try:
            return await next_handler()
        except ConflictError as conflict:
            seen.append(conflict)
            return CommandResult[str].success("never mind")

    bus.add_middleware(watching)
    assert (await bus.execute_command(Do())).unwrap() == "never mind"
    assert seen == [error]
    assert seen[0] is error


async def test_it_sees_real_results_failed_ones_too() -> None:
    seen: list[OperationResult[Any]] = []

    async def watching(operation: Any, next_handler: NextHandler) -> Any:
        result = await next_handler()
        seen.append(result)
        return result

    answers: list[Any] = ["plain", CommandResult[str].not_found("No."), CommandResult[str].not_found("No.")]
    for decorators in ((), (transactional(),)):
        bus = MemoryBus(handler_of(Do, lambda _: answers.pop(), *decorators))
        bus.add_middleware(watching)
        await bus.execute_command(Do())
    bus.add_middleware(watching)
    assert (await bus.execute_command(Do())).unwrap() == "plain"
    assert [(type(result), result.status.name) for result in seen] == [
        (CommandResult, "NOT_FOUND"),
        (CommandResult, "NOT_FOUND"),
        (CommandResult, "SUCCESS"),
        (CommandResult, "SUCCESS"),
    ]


async def test_it_sees_the_result_of_its_own_operation_where_the_handler_returns_that_of_another() -> None:
    seen: list[bool] = []

    async def watching(operation: Any, next_handler: NextHandler) -> Any:
        result = await next_handler()
        seen.append(result.metadata is operation.metadata)
        return result

    bus = bus_with([])
    bus.register_command_handler(Say, handler_of(Say, lambda _: bus.execute_command(Do()), auto_register=False)())
    bus.add_middleware(watching)
    assert (await bus.execute_command(Say())).unwrap() == "done"
    assert seen == [True, True]


async def test_it_may_make_another_answer_of_what_a_query_found() -> None:
    bus = bus_with([])

    async def louder(operation: Any, next_handler: NextHandler) -> OperationResult[Any]:
        result = await next_handler()
        return QueryResult[str].success(result.unwrap().upper())

    bus.add_query_middleware(louder)
    query = Ask()
    result = await bus.execute_query(query)
    assert (type(result), result.unwrap(), result.metadata) == (QueryResult, "DONE", query.metadata)
    assert (await bus.execute_command(Do())).unwrap() == "done"


@pytest.mark.parametrize("returned", [None, "text", 7])
async def test_one_that_loses_the_result_is_named(returned: Any) -> None:
    bus = bus_with([])

    async def forgetful(operation: Any, next_handler: NextHandler) -> Any:
        await next_handler()
        return returned

    bus.add_middleware(forgetful)
    result = await bus.execute_command(Do())
    assert result.status is OperationStatus.FAILED
    assert f"A middleware around Do returned {returned!r}" in str(result.error_message)


async def test_one_that_loses_the_result_inside_another_operation_is_named_too() -> None:
    bus = MemoryBus()
    bus.register(handler_of(Do, lambda _: bus.execute_command(DoMore())))
    bus.register(handler_of(DoMore, lambda _: "done"))

    async def forgetful(operation: Any, next_handler: NextHandler) -> Any:
        result = await next_handler()
        return None if isinstance(operation, DoMore) else result

    bus.add_middleware(forgetful)
    result = await bus.execute_command(Do())
    assert "A middleware around DoMore returned None" in str(result.error_message)


async def test_it_stands_around_what_a_handler_dispatches_too() -> None:
    log: list[str] = []
    bus = MemoryBus()
    bus.register(handler_of(Do, lambda _: bus.execute_command(DoMore())))
    bus.register(handler_of(DoMore, lambda _: "done"))
    bus.add_middleware(noting(log, "m"))
    await bus.execute_command(Do())
    assert log == ["m before", "m before", "m after", "m after"]


class Noting(PipelineBehavior[Do]):
    """Notes commands of one type."""

    log: Log

    async def handle(self, message: Do, next_handler: NextHandler) -> OperationResult[Any]:
        self.log.append(f"noting {message.what}")
        return await next_handler()


class Marker:
    """A base that messages may share."""


@dataclass
class Marked(ICommand[str], Marker):
    pass


async def _seen_by(behavior: Any) -> list[str]:
    """The names of the messages that a behaviour stands around."""
    log = Log()
    bus = MemoryBus(given=[log])
    messages: list[Any] = [Do(), DoMore(), Ask(), Marked()]
    for message in messages:
        bus.register(handler_of(type(message), lambda _: "done"))
    bus.add_middleware(behavior)
    async with bus:
        for message in messages:
            assert (await bus.execute(message)).unwrap() == "done"
    return log


SCOPES: list[tuple[Any, list[str]]] = [
    (Do, ["Do"]),
    (Do | DoMore, ["Do", "DoMore"]),
    (ICommand, ["Do", "DoMore", "Marked"]),
    (ICommand[Any], ["Do", "DoMore", "Marked"]),
    (IQuery, ["Ask"]),
    (ICommand[Any] | Ask, ["Do", "DoMore", "Ask", "Marked"]),
    (Marker, ["Marked"]),
    (Any, ["Do", "DoMore", "Ask", "Marked"]),
]


@pytest.mark.parametrize(("scope", "names"), SCOPES, ids=str)
async def test_a_behaviour_stands_around_messages_of_its_type(scope: Any, names: list[str]) -> None:
    class Scoped(PipelineBehavior[scope]):
        log: Log

        async def handle(self, message: Any, next_handler: NextHandler) -> OperationResult[Any]:
            self.log.append(type(message).__name__)
            return await next_handler()

    assert await _seen_by(Scoped) == names


async def test_a_behaviour_that_names_no_type_stands_around_all() -> None:
    class Everywhere(PipelineBehavior):
        log: Log

        async def handle(self, message: Any, next_handler: NextHandler) -> OperationResult[Any]:
            self.log.append(type(message).__name__)
            return await next_handler()

    assert len(await _seen_by(Everywhere)) == 4


async def test_a_behaviour_is_built_once_with_its_dependencies() -> None:
    log = Log()
    bus = MemoryBus(handler_of(Do, lambda _: "done"), given=[log])
    bus.add_middleware(Noting)
    async with bus:
        for _ in range(2):
            await bus.execute_command(Do("x"))
    assert log == ["noting x", "noting x"]
    assert bus.scope.opened == 2, "only for the attempts"


async def test_a_behaviour_may_be_given_as_an_instance() -> None:
    log = Log()
    bus = CQRSBus()
    bus.register(handler_of(Do, lambda _: "done"))
    bus.add_command_middleware(Noting(log=log))
    await bus.execute_command(Do("x"))
    assert log == ["noting x"]


async def test_a_behaviour_without_dependencies_needs_no_container() -> None:
    class Renaming(PipelineBehavior[Do]):
        async def handle(self, message: Do, next_handler: NextHandler) -> OperationResult[Any]:
            return CommandResult[str].success("renamed")

    bus = CQRSBus()
    bus.register(handler_of(Do, lambda _: "done"))
    bus.add_middleware(Renaming)
    assert (await bus.execute_command(Do())).unwrap() == "renamed"
    async with bus:
        assert (await bus.execute_command(Do())).unwrap() == "renamed"


async def test_a_behaviour_that_cannot_be_built_stops_the_start() -> None:
    class Needy(PipelineBehavior[Do]):
        amount: "FixedClock | None"

        async def handle(self, message: Do, next_handler: NextHandler) -> OperationResult[Any]:
            return await next_handler()

    bus = CQRSBus()
    bus.add_middleware(Needy)
    with pytest.raises(TypeError, match="amount"):
        await bus.start()


async def test_a_behaviour_that_is_not_built_yet_is_named() -> None:
    bus = MemoryBus(handler_of(Do, lambda _: "done"), given=[Log()])
    bus.add_middleware(Noting)
    with pytest.raises(PolicyError, match="Noting is not built yet: use the bus with `async with bus:`"):
        await bus.execute_command(Do())


def test_what_is_no_middleware_is_refused() -> None:
    with pytest.raises(PolicyError, match="7 is not a middleware"):
        CQRSBus().add_middleware(7)
