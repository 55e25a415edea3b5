import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    BusinessRuleViolationError,
    CommandResult,
    ConfigurationError,
    CQRSBus,
    OperationStatus,
    Pagination,
    QueryResult,
    RaisedEvent,
    authorize,
    cached_query,
    command_handler,
    event_handler,
    query_handler,
    transactional,
)
from app.core.cqrs.operation import running
from app.core.cqrs.testing import MemoryBus, MemoryUnitsOfWork
from tests.core.cqrs.support import Ask, Do, Happened, Thing, forever, handler_of, raising, sent_by, within_patience

HELPERS = {
    "ok": OperationStatus.SUCCESS,
    "created": OperationStatus.CREATED,
    "accepted": OperationStatus.ACCEPTED,
}
REFUSALS = {
    "bad_request": OperationStatus.BAD_REQUEST,
    "unauthorized": OperationStatus.UNAUTHENTICATED,
    "forbidden": OperationStatus.FORBIDDEN,
    "not_found": OperationStatus.NOT_FOUND,
    "conflict": OperationStatus.CONFLICT,
    "unprocessable_entity": OperationStatus.VALIDATION_ERROR,
    "internal_server_error": OperationStatus.FAILED,
    "service_unavailable": OperationStatus.UNAVAILABLE,
}


@command_handler(Do)
class Worker(BaseCommandHandler[Do, str]):
    """Does it."""

    units: MemoryUnitsOfWork
    greeting: str = "done"

    async def _handle(self, command: Do) -> str:
        return f"{self.greeting}: {command.what}"


async def test_the_answer_may_be_a_plain_value(cqrs_bus: MemoryBus) -> None:
    cqrs_bus.register(Worker)
    result = await cqrs_bus.execute_command(Do("dishes"))
    assert type(result) is CommandResult
    assert result.unwrap() == "done: dishes"


async def test_a_handler_can_be_made_by_hand_and_runs_its_whole_pipeline() -> None:
    units = MemoryUnitsOfWork()
    assert (await Worker(units=units).handle(Do("dishes"))).unwrap() == "done: dishes"
    assert (await Worker(units=units, greeting="ok").handle(Do())).unwrap() == "ok: this"
    assert (await Worker(units=units).handle(Do(""))).status is OperationStatus.VALIDATION_ERROR


async def test_a_query_handler_made_by_hand_too() -> None:
    handler = handler_of(Ask, lambda query: query.about, cached_query(60))()
    result = await handler.handle(Ask("x"))
    assert type(result) is QueryResult
    assert result.unwrap() == "x"
    assert result.cache_info is not None
    assert result.cache_info["hit"] is False


async def test_by_hand_authorisation_validation_and_deadline_are_never_skipped() -> None:
    guarded = handler_of(Do, lambda _: "done", authorize(["a:b"]))()
    assert (await guarded.handle(Do())).status is OperationStatus.UNAUTHENTICATED
    refused = await guarded.handle(sent_by("ada", Do()))
    assert refused.status is OperationStatus.FORBIDDEN
    assert "access=" in refused.error_message
    late = handler_of(Do, lambda _: forever(), timeout_seconds=0.01)()
    assert (await within_patience(late.handle(Do()))).status is OperationStatus.TIMEOUT


async def test_without_a_database_there_is_no_transaction() -> None:
    assert (await handler_of(Do, lambda _: "done", transactional())().handle(Do())).unwrap() == "done"


async def test_an_event_handler_made_by_hand_raises_what_went_wrong() -> None:
    seen: list[Happened] = []

    @event_handler(Happened)
    class React(BaseEventHandler[Happened]):
        """Reacts."""

        async def _handle(self, event: Happened) -> None:
            seen.append(event)
            if event.what == "bad":
                raise BusinessRuleViolationError("No.")

    await React().handle(Happened())
    with pytest.raises(ExceptionGroup) as raised:
        await React().handle(Happened(what="bad"))
    assert [str(error) for error in raised.value.exceptions] == ["No."]
    assert [event.what for event in seen] == ["this", "bad"]


@pytest.mark.parametrize("needs_result", [False, True])
@pytest.mark.parametrize(("helper", "status"), HELPERS.items())
async def test_answers_by_name(helper: str, status: OperationStatus, needs_result: bool) -> None:
    assert await _answer_of(helper, "data", needs_result) == (status, "data", None, {})


@pytest.mark.parametrize("needs_result", [False, True])
@pytest.mark.parametrize(("helper", "status"), REFUSALS.items())
async def test_refusals_by_name(helper: str, status: OperationStatus, needs_result: bool) -> None:
    assert await _answer_of(helper, "Because.", needs_result) == (status, None, "Because.", {})


@pytest.mark.parametrize("helper", REFUSALS)
async def test_refusals_tell_fields(helper: str) -> None:
    assert (await _answer_of(helper, "Because.", True, {"a": "b"}))[3] == {"a": "b"}


async def test_no_content() -> None:
    assert await _answer_of("no_content", None, False) == (OperationStatus.NO_CONTENT, None, None, {})


async def _answer_of(helper: str, given: Any, needs_result: bool, *more: Any) -> tuple[Any, ...]:
    class Answering(BaseCommandHandler[Do, Any]):
        async def _handle(self, command: Do) -> Any:
            return getattr(self, helper)(*(() if given is None else (given,)), *more)

    bus = MemoryBus()
    bus.register_command_handler(Do, transactional()(Answering) if needs_result else Answering())
    result = await bus.execute_command(Do())
    return result.status, result.data, result.error_message, result.errors


@pytest.mark.parametrize("failing", ["not_found", "internal_server_error"])
async def test_a_failed_result_rolls_back_and_raises_no_events(cqrs_bus: MemoryBus, failing: str) -> None:
    @transactional(rollback_on=[])
    @command_handler(Do)
    class Refusing(BaseCommandHandler[Do, str]):
        """Publishes and refuses."""

        async def _handle(self, command: Do) -> Any:
            await self.bus.publish_event(Happened())
            return getattr(self, failing)("No.")

    cqrs_bus.register(Refusing)
    result = await cqrs_bus.execute_command(Do())
    assert result.error_message == "No."
    assert cqrs_bus.units.journal == ["begin", "rollback"]
    assert cqrs_bus.units.events == []


async def test_a_failed_result_that_is_returned_rolls_back_too(cqrs_bus: MemoryBus) -> None:
    failed = CommandResult[str].failure(OperationStatus.CONFLICT, {"what": "is done"}, "No.")
    cqrs_bus.register(handler_of(Do, lambda _: failed, transactional(rollback_on=[])))
    result = await cqrs_bus.execute_command(Do())
    assert (result.status, result.error_message, result.errors) == (OperationStatus.CONFLICT, "No.", failed.errors)
    assert cqrs_bus.units.journal == ["begin", "rollback"]


async def test_affected_entities_are_told_inside_the_transaction(cqrs_bus: MemoryBus) -> None:
    seen: list[Any] = []

    async def affected(self: Any, command: Do, result: str) -> dict[str, Any]:
        seen.append((result, list(cqrs_bus.units.journal)))
        return {"things": [command.what]}

    cqrs_bus.register(handler_of(Do, lambda _: "done", transactional(), _get_affected_entities=affected))
    result = await cqrs_bus.execute_command(Do())
    assert result.affected_entities == {"things": ["this"]}
    assert seen == [("done", ["begin"])], "it takes the plain value, before the commit"


async def test_affected_entities_of_a_created_thing_keep_its_status(cqrs_bus: MemoryBus) -> None:
    class Creating(BaseCommandHandler[Do, str]):
        async def _handle(self, command: Do) -> Any:
            return self.created("id")

        async def _get_affected_entities(self, command: Do, result: str) -> dict[str, Any]:
            return {"created": result}

    cqrs_bus.register_command_handler(Do, Creating)
    result = await cqrs_bus.execute_command(Do())
    assert (result.status, result.affected_entities) == (OperationStatus.CREATED, {"created": "id"})


async def test_pagination_is_told_and_takes_the_plain_value(cqrs_bus: MemoryBus) -> None:
    page = Pagination(page=1, page_size=2, total_count=3, total_pages=2, has_next=True, has_previous=False)

    @query_handler(Ask)
    class Pages(BaseQueryHandler[Ask, str]):
        """Answers a page."""

        async def _handle(self, query: Ask) -> Any:
            return self.ok("a page")

        async def _get_pagination_info(self, query: Ask, result: str) -> Pagination:
            assert result == "a page"
            return page

    cqrs_bus.register(Pages)
    assert (await cqrs_bus.execute_query(Ask())).pagination == page


@pytest.mark.parametrize(
    ("message", "hook", "part"),
    [(Do(), "_get_affected_entities", "affected_entities"), (Ask(), "_get_pagination_info", "pagination")],
)
async def test_a_failing_hook_is_logged_and_leaves_none(
    cqrs_bus: MemoryBus, logs: list[MutableMapping[str, Any]], message: Any, hook: str, part: str
) -> None:
    async def failing(self: Any, message: Any, result: Any) -> dict[str, Any]:
        raise ZeroDivisionError

    cqrs_bus.register(handler_of(type(message), lambda _: "done", **{hook: failing}))
    result: Any = await cqrs_bus.execute(message)
    assert result.unwrap() == "done"
    assert getattr(result, part) is None
    assert [entry["event"] for entry in logs] == ["hook_failed"]
    assert logs[0]["operation_id"] == message.metadata.operation_id


async def test_hooks_are_not_asked_about_failures(cqrs_bus: MemoryBus) -> None:
    asked: list[Any] = []

    async def affected(self: Any, command: Do, result: str) -> dict[str, Any]:
        asked.append(result)
        return {}

    cqrs_bus.register(
        handler_of(Do, raising(BusinessRuleViolationError("No.")), transactional(), _get_affected_entities=affected)
    )
    assert (await cqrs_bus.execute_command(Do())).status is OperationStatus.BUSINESS_RULE
    assert asked == []


async def test_the_logger_knows_the_operation_its_caller_and_the_message(
    cqrs_bus: MemoryBus, logs: list[MutableMapping[str, Any]]
) -> None:
    @command_handler(Do)
    class Logging(BaseCommandHandler[Do, str]):
        """Logs."""

        async def _handle(self, command: Do) -> str:
            self.logger.info("working", extra=1)
            return "done"

    cqrs_bus.register(Logging)
    command = sent_by("ada", Do(), correlation_id="request 7")
    await cqrs_bus.execute_command(command)
    assert logs == [
        {
            "event": "working",
            "log_level": "info",
            "extra": 1,
            "handler": "Logging",
            "message_name": "Do",
            "operation_id": command.metadata.operation_id,
            "correlation_id": "request 7",
            "user_id": "ada",
        }
    ]


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_the_logger_of_a_reaction_names_the_event_and_the_operation_it_happened_in(
    cqrs_bus: MemoryBus, logs: list[MutableMapping[str, Any]], in_transaction: bool
) -> None:
    @event_handler(Happened, in_transaction=in_transaction)
    class Logging(BaseEventHandler[Happened]):
        """Logs."""

        async def _handle(self, event: Happened) -> None:
            self.logger.info("reacting")

    cqrs_bus.register(Logging)
    cqrs_bus.register(handler_of(Do, lambda _: cqrs_bus.publish_event(Happened()), transactional()))
    command = sent_by("ada", Do())
    await cqrs_bus.execute_command(command)
    await cqrs_bus.settled()
    (entry,) = logs
    assert (entry["message_name"], entry["user_id"]) == ("Happened", "ada")
    assert entry["operation_id"] == command.metadata.operation_id


def test_a_logger_outside_of_any_operation(logs: list[MutableMapping[str, Any]]) -> None:
    Worker(units=MemoryUnitsOfWork()).logger.info("idle")
    assert logs == [{"event": "idle", "log_level": "info", "handler": "Worker"}]


def test_there_is_no_bus_outside_of_an_operation() -> None:
    with pytest.raises(ConfigurationError, match=r"Worker\.bus is only available while the handler runs"):
        _ = Worker(units=MemoryUnitsOfWork()).bus


@pytest.mark.parametrize("as_instance", [False, True])
async def test_an_event_handler_has_the_bus_too(as_instance: bool) -> None:
    class React(BaseEventHandler[Happened]):
        async def _handle(self, event: Happened) -> None:
            await self.bus.execute_command(Do(event.what))

    did: list[str] = []
    bus = CQRSBus()
    bus.register_command_handler(Do, handler_of(Do, lambda command: did.append(command.what)))
    for _ in range(2):
        bus.register_event_handler(Happened, React() if as_instance else React)
    await bus.publish_event(Happened(what="dishes"))
    assert did == ["dishes"] * (2 if as_instance else 1), "a class that is registered twice reacts once"
    assert bus.get_handler_count()["events"] == len(did)
    assert running() is None


async def test_the_bus_is_there_for_the_tasks_of_a_handler_while_it_runs() -> None:
    tasks: list[asyncio.Task[Any]] = []
    may_go = asyncio.Event()

    class Parallel(BaseCommandHandler[Do, str]):
        async def ask(self) -> str | None:
            return (await self.bus.execute_query(Ask())).unwrap()

        async def late(self) -> str | None:
            await may_go.wait()
            return await self.ask()

        async def _handle(self, command: Do) -> str:
            tasks.append(asyncio.create_task(self.late()))
            return " ".join(map(str, await asyncio.gather(self.ask(), self.ask())))

    bus = MemoryBus(handler_of(Ask, lambda _: "answer"))
    bus.register_command_handler(Do, Parallel)
    assert (await bus.execute_command(Do())).unwrap() == "answer answer"
    may_go.set()
    with pytest.raises(ConfigurationError, match="while the handler runs"):
        await within_patience(tasks[0])


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_handler_knows_the_metadata_of_what_it_handles(in_transaction: bool) -> None:
    seen: list[Any] = []

    @event_handler(Happened, in_transaction=in_transaction)
    class React(BaseEventHandler[Happened]):
        """Notes who did it."""

        async def _handle(self, event: Happened) -> None:
            seen.append(self.metadata.user_id)

    bus = MemoryBus(React, handler_of(Do, lambda _: bus.publish_event(Happened()), transactional()))
    await bus.execute_command(sent_by("ada", Do()))
    await bus.settled()
    assert seen == ["ada"]
    with pytest.raises(ConfigurationError, match=r"React\.metadata is only available while the handler runs"):
        _ = React().metadata


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_reaction_knows_whose_event_it_is_and_its_number(in_transaction: bool) -> None:
    seen: list[RaisedEvent] = []

    @event_handler(Happened, in_transaction=in_transaction)
    class React(BaseEventHandler[Happened]):
        """Notes what the log says of the event."""

        async def _handle(self, event: Happened) -> None:
            assert self.record.event is event
            seen.append(self.record.raised)

    def raise_two(_: Do) -> None:
        thing = bus.units.track(Thing("7"))
        thing.raise_event(Happened())
        thing.raise_event(Happened())

    bus = MemoryBus(React, handler_of(Do, raise_two, transactional()))
    await bus.execute_command(Do())
    await bus.settled()
    assert [one[1:] for one in seen] == [("Thing", "7", 1), ("Thing", "7", 2)]
    with pytest.raises(ConfigurationError, match=r"React\.record is only available while the handler runs"):
        _ = React().record


async def test_hooks_that_are_not_written_say_nothing() -> None:
    worker: Any = Worker(units=MemoryUnitsOfWork())
    assert await worker._get_affected_entities(Do(), "done") is None
    asker = handler_of(Ask, lambda _: "x")()
    assert await asker._get_pagination_info(Ask(), "x") is None
    assert await asker._get_cached_result(Ask()) is None
    assert await asker._cache_result(Ask(), None) is None


async def test_a_class_is_built_anew_for_each_call_and_an_instance_is_used_as_it_is() -> None:
    class Counting(BaseCommandHandler[Do, str]):
        calls = 0

        async def _handle(self, command: Do) -> str:
            self.calls += 1
            return f"call {self.calls}"

    bus = CQRSBus()
    bus.register_command_handler(Do, Counting)
    assert [(await bus.execute_command(Do())).data for _ in range(2)] == ["call 1", "call 1"]
    bus = CQRSBus()
    bus.register_command_handler(Do, Counting())
    assert [(await bus.execute_command(Do())).data for _ in range(2)] == ["call 1", "call 2"]
