import asyncio
import time
from collections.abc import Generator
from typing import Any

import pytest

from app.core.cqrs import CQRSBus, HandlerTimeoutError, OperationStatus, transactional
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, DoMore, forever, handler_of, within_patience

SOON = 0.02


def bus_with(handle: Any, *decorators: Any, message: Any = Do, timeout_seconds: float | None = SOON) -> MemoryBus:
    return MemoryBus(handler_of(message, handle, *decorators, timeout_seconds=timeout_seconds))


async def run(bus: CQRSBus, message: Any = None) -> Any:
    return await within_patience(bus.execute(message or Do()))


@pytest.mark.parametrize("message", [Do, Ask])
async def test_what_takes_too_long_is_cancelled(message: Any) -> None:
    ended: list[str] = []

    async def handle(_: Any) -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    result = await run(bus_with(handle, message=message), message())
    assert result.status is OperationStatus.TIMEOUT
    assert result.error_message == f"{message.__name__} was not done within 0.02 s."
    assert ended == ["cancelled"]


async def test_unwrap_raises_the_error_of_a_deadline() -> None:
    with pytest.raises(HandlerTimeoutError):
        (await run(bus_with(lambda _: forever()))).unwrap()


async def test_a_timeout_error_of_the_handler_is_not_our_deadline() -> None:
    async def before_suspending(_: Do) -> None:
        raise TimeoutError

    async def after_suspending(_: Do) -> None:
        await asyncio.sleep(0)
        raise TimeoutError

    async def of_its_own(_: Do) -> None:
        async with asyncio.timeout(0.001):
            await forever()

    for handle in (before_suspending, after_suspending, of_its_own):
        assert (await run(bus_with(handle, timeout_seconds=60))).status is OperationStatus.FAILED


async def test_no_deadline() -> None:
    async def handle(_: Do) -> str:
        await asyncio.sleep(0)
        return "done"

    bus = bus_with(handle, timeout_seconds=None)
    assert (await run(bus)).unwrap() == "done"
    assert "deadline" not in bus.describe()["commands"]["Do"]["steps"]


class CountingLoop:
    """Counts the timers that are set on the running loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.timers = 0
        loop = asyncio.get_running_loop()
        call_at = loop.call_at

        def counting_call_at(*args: Any, **kwargs: Any) -> Any:
            self.timers += 1
            return call_at(*args, **kwargs)

        monkeypatch.setattr(loop, "call_at", counting_call_at)


async def test_a_timer_is_set_only_when_the_operation_first_suspends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def suspending(_: Do) -> str:
        await asyncio.sleep(0)
        return "done"

    quick, slow = bus_with(lambda _: "done", timeout_seconds=60), bus_with(suspending, timeout_seconds=60)
    counted = CountingLoop(monkeypatch)
    assert (await quick.execute_command(Do())).unwrap() == "done"
    assert counted.timers == 0
    assert (await slow.execute_command(Do())).unwrap() == "done"
    assert counted.timers == 1


async def test_the_time_before_it_suspends_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handle(_: Do) -> None:
        began = time.monotonic()
        while time.monotonic() < began + 2 * SOON:
            pass
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await forever()

    counted = CountingLoop(monkeypatch)
    result = await bus_with(handle).execute_command(Do())
    assert (result.status, counted.timers) == (OperationStatus.TIMEOUT, 0), "There is no time left to wait for."


async def test_what_it_awaits_goes_on_as_if_there_were_no_deadline() -> None:
    loop = asyncio.get_running_loop()
    seen: list[Any] = []

    async def handle(_: Do) -> str:
        await asyncio.sleep(0)
        good, bad = loop.create_future(), loop.create_future()
        loop.call_soon(good.set_result, "value")
        loop.call_soon(bad.set_exception, KeyError("broken"))
        seen.append(await good)
        try:
            await bad
        except KeyError as error:
            seen.append(error.args[0])
        seen.append(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2)))
        async with asyncio.timeout(5):
            seen.append(await asyncio.wait_for(asyncio.sleep(0, 3), 5))
        return "done"

    assert (await run(bus_with(handle, timeout_seconds=60))).unwrap() == "done"
    assert seen == ["value", "broken", [1, 2], 3]


@pytest.mark.parametrize("outcome", ["value", "error"])
async def test_the_first_thing_it_awaits_may_be_a_future(outcome: str) -> None:
    loop = asyncio.get_running_loop()

    async def handle(_: Do) -> str:
        future: asyncio.Future[str] = loop.create_future()
        loop.call_soon(future.set_result, "value") if outcome == "value" else loop.call_soon(
            future.set_exception, KeyError()
        )
        try:
            return await future
        except KeyError:
            return "error"

    assert (await run(bus_with(handle, timeout_seconds=60))).unwrap() == outcome


async def test_cancelling_from_outside_is_no_timeout() -> None:
    started, ended = asyncio.Event(), []

    async def handle(_: Do) -> None:
        started.set()
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    task = asyncio.create_task(bus_with(handle, timeout_seconds=60).execute_command(Do()))
    await within_patience(started.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within_patience(task)
    assert ended == ["cleaned up"]


async def test_a_closed_coroutine_closes_the_handler() -> None:
    ended: list[type[BaseException]] = []

    async def handle(_: Do) -> None:
        try:
            await Suspended()
        except BaseException as error:
            ended.append(type(error))
            raise

    running = bus_with(handle, timeout_seconds=60).execute_command(Do())
    running.send(None)
    running.close()
    assert ended == [GeneratorExit]


class Suspended:
    """Suspends once."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def test_an_operation_inside_is_bound_by_the_deadline_around_it(cqrs_bus: MemoryBus) -> None:
    rolled_back: list[str] = []

    async def outer(_: Do) -> str:
        try:
            return (await cqrs_bus.execute_command(DoMore())).unwrap()
        except asyncio.CancelledError:
            rolled_back.append("outer")
            raise

    cqrs_bus.register(handler_of(Do, outer, transactional(), timeout_seconds=SOON))
    cqrs_bus.register(handler_of(DoMore, lambda _: forever(), timeout_seconds=60))
    result = await run(cqrs_bus)
    assert (result.status, result.error_message) == (OperationStatus.TIMEOUT, "Do was not done within 0.02 s.")
    assert rolled_back == ["outer"]
    assert cqrs_bus.units.journal == ["begin", "rollback"]


async def test_a_nearer_deadline_inside_raises_there_and_can_be_caught(cqrs_bus: MemoryBus) -> None:
    async def outer(_: Do) -> str:
        try:
            await cqrs_bus.execute_command(DoMore())
        except HandlerTimeoutError as error:
            await asyncio.sleep(0)
            return error.message
        return "never"

    cqrs_bus.register(handler_of(Do, outer, timeout_seconds=60))
    cqrs_bus.register(handler_of(DoMore, lambda _: forever(), timeout_seconds=SOON))
    assert (await run(cqrs_bus)).unwrap() == "DoMore was not done within 0.02 s."


async def test_the_commit_is_bound_too() -> None:
    bus = bus_with(lambda _: "done", transactional())
    unit = bus.units.open(None)
    bus.units.journal.clear()
    unit.commit = forever  # type: ignore[method-assign]  # a commit that hangs
    bus.units.open = lambda isolation_level: unit  # type: ignore[method-assign]
    assert (await run(bus)).status is OperationStatus.TIMEOUT
    assert bus.units.journal == ["rollback"]


async def test_middleware_stands_outside_of_the_deadline() -> None:
    bus = bus_with(lambda _: forever())
    seen: list[BaseException] = []

    async def watching(operation: Any, next_handler: Any) -> Any:
        try:
            return await next_handler()
        except HandlerTimeoutError as error:
            seen.append(error)
            raise

    bus.add_middleware(watching)
    assert (await run(bus)).status is OperationStatus.TIMEOUT
    assert len(seen) == 1
