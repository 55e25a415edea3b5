import asyncio
import json
from collections.abc import Callable, Coroutine, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.cqrs import (
    CommandResult,
    ConflictError,
    CQRSBus,
    DuplicateHandlerError,
    ICommand,
    OperationStatus,
    QueryResult,
    ServiceUnavailableError,
    authorize,
    background,
    cached_query,
    retry_on_failure,
    transactional,
    validate_input,
)
from app.core.cqrs import bus as cqrs_bus_module
from app.core.cqrs import tasks as cqrs_tasks_module
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.testing import FixedClock, MemoryBus, MemoryUnitsOfWork, SimpleScope, StaticAccess
from tests.core.cqrs.support import (
    Ask,
    Do,
    DoMore,
    Happened,
    HappenedToo,
    forever,
    handler_of,
    may,
    raising,
    sent_by,
    within_patience,
)

DoHandler = handler_of(Do, lambda command: f"done {command.what}")
DoMoreHandler = handler_of(DoMore, lambda _: "done")
AskHandler = handler_of(Ask, lambda query: f"answer {query.about}")


async def test_a_bus_starts_empty() -> None:
    bus = CQRSBus()
    assert bus.get_handler_count() == {"commands": 0, "queries": 0, "events": 0, "total": 0}
    assert bus.describe() == {"commands": {}, "queries": {}, "events": {}}


@pytest.mark.parametrize("as_instance", [False, True])
async def test_execute_takes_either(as_instance: bool) -> None:
    bus = CQRSBus()
    bus.register_command_handler(Do, DoHandler() if as_instance else DoHandler)
    bus.register_query_handler(Ask, AskHandler() if as_instance else AskHandler)
    done, answered = await bus.execute(Do("x")), await bus.execute(Ask("y"))
    assert (type(done), done.unwrap()) == (CommandResult, "done x")
    assert (type(answered), answered.unwrap()) == (QueryResult, "answer y")


async def test_handlers_are_registered_one_by_one_or_together() -> None:
    bus = CQRSBus()
    first, second = handler_of(Happened, lambda _: None), handler_of(Happened, lambda _: None)
    instance = handler_of(HappenedToo, lambda _: None)()
    bus.register_command_handlers({Do: DoHandler, DoMore: DoMoreHandler()})
    bus.register_query_handlers({Ask: AskHandler})
    bus.register_event_handlers({Happened: [first, second], HappenedToo: instance})
    assert bus.get_handler_count() == {"commands": 2, "queries": 1, "events": 3, "total": 6}
    assert bus.get_registered_handlers() == {
        "commands": {Do: DoHandler, DoMore: DoMoreHandler},
        "queries": {Ask: AskHandler},
        "events": {Happened: [first, second], HappenedToo: [type(instance)]},
    }
    assert (await bus.execute_command(DoMore())).unwrap() == "done"


async def test_a_second_handler_is_refused_and_both_are_named() -> None:
    bus = CQRSBus()
    bus.register_command_handler(Do, DoHandler)
    other = type("OtherHandler", (DoHandler,), {})
    with pytest.raises(DuplicateHandlerError, match="Do is handled by DoHandler and by OtherHandler: remove one"):
        bus.register_command_handler(Do, other)
    bus.register_query_handler(Ask, AskHandler)
    with pytest.raises(DuplicateHandlerError):
        bus.register_query_handler(Ask, AskHandler)
    assert bus.get_registered_handlers()["commands"] == {Do: DoHandler}


async def test_a_second_handler_may_replace_the_first_on_request() -> None:
    bus = CQRSBus(allow_handler_override=True)
    bus.register_command_handler(Do, DoHandler)
    assert (await bus.execute_command(Do("x"))).unwrap() == "done x"
    bus.register_command_handler(Do, handler_of(Do, lambda _: "replaced"))
    assert (await bus.execute_command(Do("x"))).unwrap() == "replaced"
    assert bus.get_handler_count()["commands"] == 1


async def test_two_buses_do_not_disturb_each_other() -> None:
    one, other = CQRSBus(), CQRSBus()
    one.register(handler_of(Do, lambda _: "one"))
    other.register(handler_of(Do, lambda _: "other"))
    assert (await one.execute_command(Do())).unwrap() == "one"
    one.shutdown()
    assert (await other.execute_command(Do())).unwrap() == "other"


async def test_a_command_on_another_bus_is_no_part_of_the_operation_that_sends_it() -> None:
    one, other = MemoryBus(), MemoryBus(handler_of(DoMore, lambda _: "stored", transactional()))
    other.register(handler_of(Ask, raising(ConflictError("No."))))

    async def send(_: Do) -> None:
        assert (await other.execute_command(DoMore())).unwrap() == "stored"
        assert (await other.execute_query(Ask())).status is OperationStatus.CONFLICT, "as whoever is outside is told"
        await other.publish_event(Happened())
        raise ConflictError("No.")

    one.register(handler_of(Do, send, transactional()))
    assert (await one.execute_command(Do())).is_failure
    assert one.units.journal == ["begin", "rollback"]
    assert other.units.journal == ["begin", "commit", "begin", "record Happened", "commit"]


async def test_a_bus_without_units_of_work_joins_the_operation_of_another() -> None:
    one = MemoryBus()

    async def send(_: Do) -> None:
        with suppress(ConflictError):
            await handler_of(DoMore, raising(ConflictError("No.")))().handle(DoMore())

    one.register(handler_of(Do, send, transactional()))
    assert (await one.execute_command(Do())).status is OperationStatus.CONFLICT
    assert one.units.journal == ["begin", "rollback"]


async def test_what_that_bus_sends_back_is_a_part_of_the_operation_too() -> None:
    one = MemoryBus(handler_of(Ask, lambda _: "seen"))

    async def send_back(_: DoMore) -> None:
        await one.publish_event(Happened())
        raise ConflictError("No.")

    async def send(_: Do) -> None:
        await handler_of(DoMore, send_back)().handle(DoMore())

    one.register(handler_of(Do, send, transactional()))
    assert (await one.execute_command(Do())).status is OperationStatus.CONFLICT
    assert one.units.journal == ["begin", "rollback"]


async def test_describe_tells_all_as_data() -> None:
    bus = MemoryBus(
        handler_of(Do, lambda _: "x", transactional(), authorize(["a:b"]), retry_on_failure(), timeout_seconds=7),
        handler_of(Ask, lambda _: "x", cached_query(60)),
        handler_of(DoMore, lambda _: "x", timeout_seconds=None),
        handler_of(Happened, lambda _: None),
        handler_of(Happened, lambda _: None, in_transaction=True),
    )

    async def middleware(operation: Any, next_handler: Any) -> Any:
        return await next_handler()

    bus.add_command_middleware(middleware)
    described = bus.describe()
    do = described["commands"]["Do"]
    assert (do["handler"], do["timeout_seconds"]) == ("DoHandler", 7)
    assert do["policies"]["Authorize"] == {
        "permissions": ["a:b"],
        "resource_id_field": None,
        "allow_admin_override": True,
    }
    assert set(do["policies"]) == {"Transactional", "Authorize", "RetryOnFailure"}
    wanted = [
        "middleware",
        "deadline",
        "authentication",
        "validation",
        "authorize",
        "retry_on_failure",
        "transactional",
    ]
    assert [step for step in do["steps"] if step in wanted] == wanted
    assert described["queries"]["Ask"]["policies"]["CachedQuery"]["ttl_seconds"] == 60
    assert "cached_query" in described["queries"]["Ask"]["steps"]
    assert "middleware" not in described["queries"]["Ask"]["steps"]
    assert "deadline" not in described["commands"]["DoMore"]["steps"]
    assert described["events"] == {
        "Happened": [
            {"handler": "HappenedHandler", "in_transaction": False},
            {"handler": "HappenedHandler", "in_transaction": True},
        ]
    }


def test_describe_loses_no_message_that_has_the_name_of_another() -> None:
    namesake = type("Do", (ICommand,), {"__module__": "app.handlers.other"})
    described = MemoryBus(handler_of(Do, lambda _: "x"), handler_of(namesake, lambda _: "x")).describe()
    assert list(described["commands"]) == ["Do", "app.handlers.other.Do"]


def test_describe_is_plain_data_whatever_the_policies() -> None:
    handler = handler_of(
        Do,
        lambda _: "x",
        transactional(rollback_on=[ConflictError]),
        retry_on_failure(retry_on=[ConnectionError]),
        validate_input(lambda _: {}),
    )
    policies = json.loads(json.dumps(MemoryBus(handler).describe()))["commands"]["Do"]["policies"]
    assert policies["Transactional"]["rollback_on"] == ["ConflictError"]
    assert policies["RetryOnFailure"]["retry_on"] == ["ConnectionError"]


# What each parameter of the bus does


async def test_the_scope_builds_handlers() -> None:
    scope = SimpleScope()
    bus = CQRSBus(scope=scope)
    bus.register(DoHandler)
    await bus.execute_command(Do())
    assert (scope.opened, scope.closed) == (1, 1)


async def test_an_instance_needs_no_scope() -> None:
    scope = SimpleScope()
    bus = CQRSBus(scope=scope)
    bus.register_command_handler(Do, DoHandler())
    await bus.execute_command(Do())
    assert scope.opened == 0


async def test_the_unit_of_work_opens_transactions() -> None:
    units = MemoryUnitsOfWork()
    bus = CQRSBus(unit_of_work=units)
    bus.register(handler_of(Do, lambda _: "x", transactional()))
    await bus.execute_command(Do())
    assert units.journal == ["begin", "commit"]


async def test_the_cache_keeps_answers() -> None:
    bus = CQRSBus(cache=MemoryBus().cache)
    bus.register(handler_of(Ask, lambda _: "x", cached_query()))
    hits = [(await bus.execute_query(Ask())).cache_info for _ in range(2)]
    assert [info and info["hit"] for info in hits] == [False, True]


async def test_the_access_policy_decides() -> None:
    bus = CQRSBus(access=StaticAccess({"ada": may("a:b")}))
    bus.register(handler_of(Do, lambda _: "x", authorize(["a:b"])))
    assert (await bus.execute_command(sent_by("ada", Do()))).is_success
    assert (await bus.execute_command(sent_by("eve", Do()))).is_failure


async def test_the_clock_tells_the_time_of_operations() -> None:
    clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    seen: list[Any] = []
    bus = CQRSBus(clock=clock)
    bus.register(handler_of(Do, lambda command: seen.append(command.metadata.timestamp)))
    result = await bus.execute_command(Do())
    assert result.metadata is not None
    assert [*seen, result.metadata.timestamp] == [clock.now()] * 2


async def test_the_tracing_is_the_outermost_step() -> None:
    ran: list[object] = []

    def tracing(plan: Plan, proceed: Step) -> Step:
        async def traced(message: Any) -> Any:
            ran.append(plan.kind)
            return await proceed(message)

        return traced

    bus = CQRSBus(tracing=tracing)
    bus.register(handler_of(Do, lambda _: ran.append("handled")))
    await bus.execute_command(Do())
    assert ran == [Kind.COMMAND, "handled"]
    assert bus.describe()["commands"]["Do"]["steps"][0] == "tracing"


# The end


@pytest.mark.parametrize("message", [Do(), Ask()], ids=["command", "query"])
async def test_shutdown_refuses_new_work_at_once(message: Any) -> None:
    bus = MemoryBus(DoHandler, AskHandler)
    assert (await bus.execute(message)).is_success
    bus.shutdown()
    result = await bus.execute(message)
    assert result.status is OperationStatus.UNAVAILABLE
    assert "shutting down" in str(result.error_message)
    assert type(result) is (CommandResult if isinstance(message, Do) else QueryResult)
    with pytest.raises(ServiceUnavailableError, match="shutting down"):
        await bus.publish_event(Happened())


async def some_turns() -> None:
    """Let the loop do whatever it can do now."""
    for _ in range(20):
        await asyncio.sleep(0)


class Slow:
    """A handler's work that lasts until the test lets it go on."""

    def __init__(self, then: Any = None) -> None:
        self.started, self.may_end = asyncio.Event(), asyncio.Event()
        self.then = then

    async def __call__(self, message: Any) -> Any:
        self.started.set()
        await self.may_end.wait()
        return "done" if self.then is None else (await self.then()).unwrap()

    async def keeps_waiting(self, closing: Coroutine[Any, Any, None]) -> None:
        """Once this has begun, see that something goes on until this has ended."""
        await within_patience(self.started.wait())
        waiting = asyncio.create_task(closing)
        await some_turns()
        assert not waiting.done()
        self.may_end.set()
        await within_patience(waiting)


async def test_aclose_waits_for_what_is_running_with_what_it_dispatches() -> None:
    slow = Slow(lambda: bus.execute_command(DoMore()))
    bus: MemoryBus = MemoryBus(
        handler_of(Do, slow, transactional()), handler_of(DoMore, lambda _: "inner", transactional())
    )
    running = asyncio.create_task(bus.execute_command(Do()))
    await within_patience(slow.started.wait())
    closing = asyncio.create_task(bus.aclose())
    await some_turns()
    assert not closing.done()
    assert (await bus.execute_command(DoMore())).status is OperationStatus.UNAVAILABLE
    slow.may_end.set()
    await within_patience(closing)
    assert running.done()
    assert (await running).unwrap() == "inner"


async def test_aclose_waits_for_reactions_and_what_they_dispatch() -> None:
    did: list[str] = []
    slow = Slow(lambda: bus.execute_command(DoMore()))

    async def handle(_: Do) -> None:
        await bus.publish_event(Happened())

    bus: MemoryBus = MemoryBus(handler_of(Do, handle, transactional()), handler_of(Happened, slow))
    bus.register(handler_of(DoMore, lambda _: did.append("inner")))
    await bus.execute_command(Do())
    await slow.keeps_waiting(bus.aclose())
    assert did == ["inner"]


async def test_what_is_running_at_the_end_may_still_publish() -> None:
    log: list[str] = []
    slow = Slow()

    async def handle(command: Do) -> None:
        await slow(command)
        await bus.publish_event(Happened(what="late"))

    bus = MemoryBus(handler_of(Do, handle), handler_of(Happened, lambda event: log.append(event.what)))
    running = asyncio.create_task(bus.execute_command(Do()))
    await within_patience(slow.started.wait())
    bus.shutdown()
    slow.may_end.set()
    assert (await within_patience(running)).is_success
    assert log == ["late"]


@pytest.mark.parametrize("make", [lambda handler: handler, lambda handler: handler()], ids=["class", "instance"])
async def test_aclose_waits_for_what_is_being_published(make: Callable[[Any], Any]) -> None:
    slow = Slow()
    bus = MemoryBus()
    bus.register_event_handler(Happened, make(handler_of(Happened, slow)))
    publishing = asyncio.create_task(bus.publish_event(Happened()))
    await slow.keeps_waiting(bus.aclose())
    assert publishing.done()


async def test_what_was_raised_by_what_was_published_holds_nobody_up() -> None:
    bus = CQRSBus()
    bus.register(handler_of(Happened, lambda _: 1 / 0))
    with pytest.raises(ExceptionGroup) as raised:
        await bus.publish_event(Happened())
    await within_patience(bus.aclose())
    assert raised.value.exceptions, "Whoever keeps the error keeps the frames it came through."


async def test_aclose_waits_for_what_was_sent_and_has_not_begun() -> None:
    slow = Slow()
    bus = MemoryBus(handler_of(Do, slow))
    sent = asyncio.create_task(bus.execute_command(Do()))
    closing = asyncio.create_task(bus.aclose())
    slow.may_end.set()
    await within_patience(closing)
    result = await within_patience(sent)
    assert result.is_success or result.status is OperationStatus.UNAVAILABLE


async def test_everybody_who_closes_waits() -> None:
    slow = Slow()
    bus = MemoryBus(handler_of(Do, slow))
    running = asyncio.create_task(bus.execute_command(Do()))
    await within_patience(slow.started.wait())
    impatient = asyncio.create_task(bus.aclose())
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    closing = [asyncio.create_task(bus.aclose()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in closing)
    slow.may_end.set()
    await within_patience(asyncio.gather(*closing))
    assert (await running).unwrap() == "done"
    await within_patience(bus.aclose())


async def test_what_is_cancelled_holds_nobody_up() -> None:
    bus = MemoryBus(handler_of(Do, lambda _: forever()))
    running = asyncio.create_task(bus.execute_command(Do()))
    await asyncio.sleep(0)
    closing = asyncio.create_task(bus.aclose())
    await asyncio.sleep(0)
    running.cancel()
    await within_patience(closing)


async def test_background_work_that_does_not_end_is_cut_short(logs: list[MutableMapping[str, Any]]) -> None:
    async def work() -> None:
        try:
            await bus.execute_command(DoMore())
        finally:
            ended.append("work")

    ended: list[str] = []
    bus, other = (MemoryBus(handler_of(Do, lambda _: background(forever()))) for _ in range(2))
    bus.register(handler_of(DoMore, lambda _: forever()))
    bus.register(handler_of(Ask, lambda _: background(work())))
    command = Do()
    for each, message in ((bus, command), (bus, Ask()), (other, Do())):
        assert (await each.execute(message)).is_success
    bus.background_seconds = 0.01
    await within_patience(bus.aclose())
    assert ended == ["work"]
    assert [entry["event"] for entry in logs] == ["background_cut_short"] * 2
    assert {entry["message_name"] for entry in logs} == {"Do", "Ask"}
    assert logs[0]["operation_id"] == command.metadata.operation_id
    assert other.running == 1
    other.background_seconds = 0
    await within_patience(other.aclose())


async def test_background_work_that_begins_late_has_its_time_too(
    logs: list[MutableMapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    for module in (cqrs_bus_module, cqrs_tasks_module):
        monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    started, may_end = asyncio.Event(), asyncio.Event()

    async def handle(_: Do) -> None:
        started.set()
        await may_end.wait()
        background(some_turns())

    bus = MemoryBus(handler_of(Do, handle))
    running = asyncio.create_task(bus.execute_command(Do()))
    await within_patience(started.wait())
    closing = asyncio.create_task(bus.aclose())
    await asyncio.sleep(0)
    clock[0] += bus.background_seconds
    may_end.set()
    await within_patience(closing)
    assert (await running).is_success
    assert logs == []


async def test_an_idle_bus_closes_at_once_also_when_it_failed_before() -> None:
    bus = MemoryBus(handler_of(Do, lambda _: 1 / 0), handler_of(Happened, lambda _: None))
    assert (await bus.execute_command(Do())).is_failure
    await bus.publish_event(Happened())
    await within_patience(bus.aclose())


async def test_as_a_context_manager() -> None:
    async with MemoryBus(DoHandler) as bus:
        assert (await bus.execute_command(Do())).is_success
    assert (await bus.execute_command(Do())).status is OperationStatus.UNAVAILABLE
    with MemoryBus(DoHandler) as bus:
        assert (await bus.execute_command(Do())).is_success
    assert (await bus.execute_command(Do())).status is OperationStatus.UNAVAILABLE


async def test_a_task_that_a_handler_started_is_refused_after_the_end() -> None:
    tasks: list[asyncio.Task[Any]] = []
    may_go = asyncio.Event()

    async def later() -> Any:
        await may_go.wait()
        return await bus.execute_command(DoMore())

    async def handle(_: Do) -> str:
        tasks.append(asyncio.create_task(later()))
        return "done"

    bus = MemoryBus(handler_of(Do, handle), DoMoreHandler)
    await bus.execute_command(Do())
    await within_patience(bus.aclose())
    may_go.set()
    assert (await within_patience(tasks[0])).status is OperationStatus.UNAVAILABLE
