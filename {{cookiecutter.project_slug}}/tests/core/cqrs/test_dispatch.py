"""What is inside what: nested dispatch, tasks, threads, and who shares a unit of work."""

import asyncio
import contextvars
import gc
import weakref
from contextlib import suppress
from typing import Any

import pytest

from app.core.cqrs import (
    CommandHandlerNotFoundError,
    CommandResult,
    ConflictError,
    CQRSBus,
    OperationStatus,
    QueryHandlerNotFoundError,
    ResourceNotFoundError,
    transactional,
)
from app.core.cqrs.operation import current, running
from app.core.cqrs.testing import MemoryBus, MemoryUnit
from tests.core.cqrs.support import (
    Ask,
    Do,
    DoMore,
    Happened,
    forever,
    handler_of,
    raising,
    sent_by,
    together,
    within_patience,
)


def nesting(outer: Any, inner: Any = lambda _: "done", *decorators: Any) -> MemoryBus:
    """A bus on which `outer` handles `Do` and `inner` handles `DoMore`, both under the decorators."""
    return MemoryBus(handler_of(Do, outer, *decorators), handler_of(DoMore, inner, *decorators))


async def test_at_the_outside_every_outcome_is_a_result() -> None:
    bus = nesting(raising(ConflictError("No.")))
    assert (await bus.execute_command(Do())).status is OperationStatus.CONFLICT
    assert running() is None


@pytest.mark.parametrize(
    "inner",
    [raising(ConflictError("No.")), lambda _: CommandResult[str].failure(OperationStatus.CONFLICT, {}, "No.")],
    ids=["raised", "returned"],
)
async def test_inside_a_handler_a_failure_is_raised(inner: Any) -> None:
    caught: list[Any] = []

    async def outer(_: Do) -> str:
        with pytest.raises(ConflictError) as raised:
            await bus.execute_command(DoMore())
        caught.append(raised.value)
        return "went on"

    bus = nesting(outer, inner)
    assert (await bus.execute_command(Do())).unwrap() == "went on"
    assert (caught[0].message, caught[0].status) == ("No.", OperationStatus.CONFLICT)


async def test_a_failed_result_of_an_instance_is_raised_inside_too() -> None:
    bus = MemoryBus(handler_of(Do, lambda _: bus.execute_command(DoMore())))
    bus.register_command_handler(DoMore, handler_of(DoMore, lambda _: CommandResult[str].not_found("No."))())
    result = await bus.execute_command(Do())
    assert (result.status, result.error_message) == (OperationStatus.NOT_FOUND, "No.")


async def test_a_bug_inside_is_raised_as_it_is() -> None:
    async def outer(_: Do) -> str:
        with pytest.raises(ZeroDivisionError):
            await bus.execute_command(DoMore())
        return "went on"

    bus = nesting(outer, raising(ZeroDivisionError()))
    assert (await bus.execute_command(Do())).unwrap() == "went on"


async def test_a_query_inside_a_command() -> None:
    async def outer(_: Do) -> str:
        with pytest.raises(ResourceNotFoundError):
            await bus.execute_query(Ask("missing"))
        return (await bus.execute_query(Ask())).unwrap() or ""

    def answer(query: Ask) -> str:
        if query.about == "missing":
            raise ResourceNotFoundError("No.")
        return "answer"

    bus = nesting(outer)
    bus.register(handler_of(Ask, answer))
    assert (await bus.execute_command(Do())).unwrap() == "answer"


async def test_a_query_dispatches_no_command() -> None:
    bus = nesting(lambda _: "done")
    bus.register(handler_of(Ask, lambda _: bus.execute_command(Do())))
    result = await bus.execute_query(Ask())
    assert result.status is OperationStatus.FAILED
    assert "Ask is a query and dispatched Do: a query changes nothing" in str(result.error_message)


async def test_nor_does_a_reaction_to_what_it_published() -> None:
    done: list[Do] = []
    bus = nesting(done.append)
    bus.register(handler_of(Happened, lambda _: bus.execute_command(Do()), transactional()))
    bus.register(handler_of(Ask, lambda _: bus.publish_event(Happened())))
    assert (await bus.execute_query(Ask())).status is OperationStatus.FAILED
    assert done == []


@pytest.mark.parametrize("decorators", [(), (transactional(),)], ids=["plain", "transactional"])
async def test_three_deep(decorators: Any) -> None:
    depth: list[int] = []

    async def outer(_: Do) -> str:
        return (await bus.execute_command(DoMore("2"))).unwrap()

    async def inner(command: DoMore) -> str:
        depth.append(int(command.what))
        if command.what == "4":
            return command.metadata.user_id or "nobody"
        return (await bus.execute_command(DoMore(str(int(command.what) + 1)))).unwrap()

    bus = nesting(outer, inner, *decorators)
    assert (await bus.execute_command(sent_by("ada", Do()))).unwrap() == "ada"
    assert (await bus.execute_command(Do())).unwrap() == "nobody"
    assert depth == [2, 3, 4] * 2
    assert current.get() is None


@pytest.mark.parametrize("read_first", ["inner", "outer"])
async def test_metadata_may_be_read_first_at_any_depth(read_first: str) -> None:
    seen: dict[str, Any] = {}

    async def outer(command: Do) -> str:
        if read_first == "outer":
            seen["outer"] = command.metadata
        await bus.execute_command(DoMore())
        seen["outer"] = command.metadata
        return "done"

    def inner(command: DoMore) -> str:
        seen["inner"] = command.metadata
        return "done"

    bus = nesting(outer, inner)
    await bus.execute_command(Do())
    assert seen["inner"].causation_id == seen["outer"].operation_id
    assert seen["outer"].causation_id is None


async def test_a_handler_may_send_its_own_message_again() -> None:
    tries: list[Any] = []

    async def again(command: Do) -> str:
        tries.append(command)
        if len(tries) < 3:
            return (await bus.execute_command(command)).unwrap()
        return str(command.metadata.causation_id)

    bus = MemoryBus(handler_of(Do, again))
    assert (await bus.execute_command(Do())).unwrap() == "None"


# Tasks of their own

WAYS: dict[str, Any] = {
    "create_task": lambda make: asyncio.create_task(make()),
    "gather": lambda make: asyncio.gather(make()),
    "wait_for": lambda make: asyncio.create_task(asyncio.wait_for(make(), 5)),
}


async def in_task_group(make: Any) -> Any:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(make())
    return task.result()


async def in_thread(make: Any) -> Any:
    return await asyncio.to_thread(lambda: asyncio.run(make()))


async def in_call_soon(make: Any) -> Any:
    loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    loop.call_soon(
        lambda: asyncio.ensure_future(make()).add_done_callback(lambda task: future.set_result(task.result()))
    )
    return await future


WAYS |= {"TaskGroup": in_task_group, "to_thread": in_thread, "call_soon": in_call_soon}


@pytest.mark.parametrize("way", WAYS)
async def test_a_task_that_a_handler_starts_is_outermost_again(way: str) -> None:
    async def outer(_: Do) -> Any:
        async def make() -> Any:
            return await bus.execute_command(DoMore())

        answer = await WAYS[way](make)
        (result,) = answer if isinstance(answer, list) else (answer,)
        return result.status.name

    bus = MemoryBus(handler_of(Do, outer), handler_of(DoMore, raising(ConflictError("No.")), transactional()))
    assert (await within_patience(bus.execute_command(Do()))).unwrap() == "CONFLICT", "a result, and not raised"
    assert bus.units.journal == ["begin", "rollback"], "in a transaction of its own"


@pytest.mark.parametrize("way", [way for way in WAYS if way != "call_soon"])
async def test_but_not_while_a_transaction_is_open_that_it_cannot_join(way: str) -> None:
    async def outer(_: Do) -> str:
        with suppress(Exception):
            await WAYS[way](lambda: bus.execute_command(DoMore()))
        return "went on"

    bus = nesting(outer, lambda _: "done", transactional())
    result = await within_patience(bus.execute_command(Do()))
    assert "A task of its own dispatched DoMore" in str(result.error_message)
    assert "background(...)" in str(result.error_message)
    assert bus.units.journal == ["begin", "rollback"]


async def test_a_task_that_outlives_its_handler_is_outermost_again_and_knows_its_cause() -> None:
    tasks: list[Any] = []
    may_go = asyncio.Event()

    async def later() -> Any:
        await may_go.wait()
        assert running() is None
        return await bus.execute_command(DoMore())

    async def outer(_: Do) -> str:
        tasks.append(asyncio.create_task(later()))
        return "done"

    bus = nesting(outer, lambda command: command.metadata.user_id)
    command = sent_by("ada", Do())
    await bus.execute_command(command)
    may_go.set()
    result = await within_patience(tasks[0])
    assert result.unwrap() == "ada"
    assert result.metadata.causation_id == command.metadata.operation_id


async def test_sibling_tasks_do_not_see_each_other() -> None:
    meeting = asyncio.Barrier(2)
    seen: list[Any] = []

    async def outer(command: Do) -> str:
        await meeting.wait()
        dispatch = running()
        assert dispatch is not None
        seen.append(dispatch._message is command)
        return (await bus.execute_command(DoMore(command.what))).unwrap()

    bus = nesting(outer, lambda command: command.what, transactional())
    results = await together(bus.execute_command(Do("a")), bus.execute_command(Do("b")))
    assert [result.unwrap() for result in results] == ["a", "b"]
    assert seen == [True, True]


async def test_two_tasks_on_one_unit_of_work_are_refused_with_a_sentence() -> None:
    """Tasks share a context only when somebody insists: then they would share the database connection too."""
    context = contextvars.copy_context()
    inside, may_end = asyncio.Event(), asyncio.Event()

    async def outer(_: Do) -> str:
        inside.set()
        await may_end.wait()
        return "done"

    async def intrude() -> Any:
        await inside.wait()
        try:
            return await bus.execute_command(DoMore())
        finally:
            may_end.set()

    bus = nesting(outer, lambda _: "done", transactional())
    first = asyncio.create_task(bus.execute_command(Do()), context=context)
    second = asyncio.create_task(intrude(), context=context)
    outcomes = await within_patience(asyncio.gather(first, second, return_exceptions=True))
    assert outcomes[0].is_failure, "a part of it was refused"  # type: ignore[union-attr]
    assert "another task is working in the same unit of work" in str(outcomes[1])


# Nobody there


@pytest.mark.parametrize(
    ("method", "message", "error"),
    [
        ("execute_command", Do(), CommandHandlerNotFoundError),
        ("execute_query", Ask(), QueryHandlerNotFoundError),
        ("execute", Do(), CommandHandlerNotFoundError),
        ("execute", Ask(), QueryHandlerNotFoundError),
        ("execute_query", Do(), QueryHandlerNotFoundError),
        ("execute_command", Ask(), CommandHandlerNotFoundError),
    ],
)
async def test_a_message_nobody_handles_is_raised_with_what_to_do(method: str, message: Any, error: Any) -> None:
    bus = CQRSBus()
    with pytest.raises(error, match=f"Nobody handles {type(message).__name__}.*@(command|query)_handler"):
        await getattr(bus, method)(message)


async def test_inside_a_handler_the_sentence_comes_through() -> None:
    bus: MemoryBus = MemoryBus(handler_of(Do, lambda _: bus.execute_command(DoMore())))
    result = await bus.execute_command(Do())
    assert result.status is OperationStatus.FAILED
    assert "Nobody handles DoMore" in str(result.error_message)


async def test_a_command_is_no_query() -> None:
    bus = MemoryBus(handler_of(Do, lambda _: "x"), handler_of(Ask, lambda _: "x"))
    with pytest.raises(QueryHandlerNotFoundError):
        await bus.execute_query(Do())  # type: ignore[arg-type]  # that is the point
    with pytest.raises(CommandHandlerNotFoundError):
        await bus.execute_command(Ask())  # type: ignore[arg-type]  # that is the point


async def test_the_handler_of_a_base_does_not_get_its_subclasses() -> None:
    class Child(Do):
        pass

    with pytest.raises(CommandHandlerNotFoundError):
        await MemoryBus(handler_of(Do, lambda _: "x")).execute_command(Child())


# Nothing is kept


async def test_metadata_that_nobody_reads_is_not_made() -> None:
    bus = CQRSBus()
    bus.register_command_handler(Do, handler_of(Do, lambda _: bus.execute_command(DoMore()))())
    bus.register(handler_of(DoMore, lambda _: "x"))
    command = Do()
    assert (await bus.execute_command(command)).is_success
    assert not hasattr(command, "_metadata")


@pytest.mark.parametrize("fails", [False, True])
async def test_a_message_is_free_when_it_is_done(fails: bool) -> None:
    def outer(_: Do) -> Any:
        if fails:
            raise ConflictError("No.")
        return bus.execute_command(DoMore())

    bus = nesting(outer, lambda _: "x", transactional())
    command = Do()
    command.metadata.user_id = "ada"
    gone = weakref.ref(command)
    await bus.execute_command(command)
    del command
    gc.collect()
    assert gone() is None


async def test_a_thousand_messages_leave_as_many_objects_as_ten() -> None:
    bus: MemoryBus = nesting(lambda _: bus.execute_command(DoMore()), lambda _: "x", transactional())
    bus.register(handler_of(Ask, lambda _: "x"))

    async def objects_after(times: int) -> int:
        for _ in range(times):
            await bus.execute_command(Do())
            await bus.execute_query(Ask())
        bus.units.journal.clear()
        gc.collect()
        return len(gc.get_objects())

    await objects_after(10)
    few = await objects_after(10)
    assert await objects_after(500) <= few + 20


async def test_a_kept_result_keeps_no_transaction() -> None:
    units: list[weakref.ref[MemoryUnit]] = []
    bus = nesting(lambda _: "done", lambda _: "x", transactional())
    open_unit = bus.units.open

    def noting_open(isolation_level: str | None) -> MemoryUnit:
        unit = open_unit(isolation_level)
        units.append(weakref.ref(unit))
        return unit

    bus.units.open = noting_open  # type: ignore[method-assign]  # notes it only
    result = await bus.execute_command(Do())
    gc.collect()
    assert result.is_success
    assert [unit() for unit in units] == [None]


async def test_a_task_that_goes_on_keeps_no_transaction_either() -> None:
    tasks: list[asyncio.Task[None]] = []
    scopes: list[Any] = []

    async def outer(_: Do) -> str:
        dispatch = running()
        assert dispatch is not None
        scopes.append(weakref.ref(dispatch._attempt))
        tasks.append(asyncio.create_task(forever()))
        return "done"

    bus = nesting(outer, lambda _: "x", transactional())
    await bus.execute_command(Do())
    gc.collect()
    assert scopes[0]() is None
    tasks[0].cancel()


def test_a_bus_is_bound_to_no_event_loop() -> None:
    bus: MemoryBus = nesting(lambda _: bus.execute_command(DoMore()), lambda _: "done", transactional())

    async def use() -> bool:
        async with asyncio.timeout(5):
            return all(
                result.is_success for result in await asyncio.gather(*(bus.execute_command(Do()) for _ in range(3)))
            )

    assert asyncio.run(use())
    assert asyncio.run(use())


async def test_a_coroutine_closed_before_its_end_leaves_nothing_behind() -> None:
    async def outer(_: Do) -> str:
        await forever()
        return "never"

    bus = nesting(outer)
    coroutine = bus.execute_command(Do())
    coroutine.send(None)
    assert current.get() is not None
    coroutine.close()
    assert current.get() is None
