"""One span for each message: whose child it is, what it says, and what it never says."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, get_current_span

from app.core.cqrs import (
    CommandResult,
    ConflictError,
    CQRSBus,
    ICommand,
    OperationStatus,
    ServiceUnavailableError,
    transactional,
)
from app.core.cqrs.testing import MemoryUnitsOfWork
from app.core.observability.tracing import traced
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, HappenedToo, handler_of, raising, sent_by
from tests.telemetry.traces.spans import Spans, own, parent, said, trace

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRET = "hunter2"


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def traced_bus(spans: Spans) -> Callable[..., CQRSBus]:
    """A bus with a tracer, and with these handlers."""

    def make(*handlers: Any) -> CQRSBus:
        bus = CQRSBus(unit_of_work=MemoryUnitsOfWork(), tracing=partial(traced, spans.tracer))
        for handler in handlers:
            bus.register(handler)
        return bus

    return make


def test_without_a_tracer_there_is_no_step() -> None:
    bus = CQRSBus()
    bus.register(handler_of(Do, lambda _: "x"))
    assert "tracing" not in bus.describe()["commands"]["Do"]["steps"]


def test_it_is_the_outermost_step(traced_bus: Callable[..., CQRSBus]) -> None:
    bus = traced_bus(handler_of(Do, lambda _: "x"))
    bus.add_middleware(lambda operation, next_handler: next_handler())
    assert bus.describe()["commands"]["Do"]["steps"][:2] == ["tracing", "middleware"]


@dataclass
class Rename(ICommand[str]):
    name: str

    def get_aggregate_id(self) -> str:
        return "7"


async def test_a_span_says_what_was_done_and_never_with_what(spans: Spans, traced_bus: Callable[..., CQRSBus]) -> None:
    command = Rename(SECRET)
    await traced_bus(handler_of(Rename, lambda _: "x")).execute_command(command)
    assert spans["Rename"].kind is SpanKind.INTERNAL
    assert said(spans["Rename"]) == {
        "cqrs.kind": "command",
        "cqrs.message": "Rename",
        "cqrs.handler": "RenameHandler",
        "cqrs.operation_id": command.metadata.operation_id,
        "cqrs.aggregate_id": "7",
        "cqrs.status": "success",
    }


@dataclass
class Careless(ICommand[str]):
    def get_aggregate_id(self) -> str:
        raise ZeroDivisionError


async def test_an_aggregate_that_cannot_be_named_is_left_out(spans: Spans, traced_bus: Callable[..., CQRSBus]) -> None:
    assert (await traced_bus(handler_of(Careless, lambda _: "x")).execute_command(Careless())).is_success
    assert "cqrs.aggregate_id" not in said(spans["Careless"])


@pytest.mark.parametrize(
    ("work", "status", "error_type", "is_error"),
    [
        (lambda _: "done", "success", None, False),
        (lambda _: CommandResult[str].success("x", status=OperationStatus.CREATED), "created", None, False),
        (lambda _: CommandResult[str].not_found(SECRET), "not_found", "ResourceNotFoundError", False),
        (raising(ConflictError(SECRET)), "conflict", "ConflictError", False),
        (raising(ServiceUnavailableError(SECRET)), "unavailable", "ServiceUnavailableError", True),
        (raising(ZeroDivisionError(SECRET)), "failed", "ZeroDivisionError", True),
    ],
    ids=["done", "created", "returned", "raised", "unavailable", "bug"],
)
async def test_how_it_ended(
    spans: Spans,
    traced_bus: Callable[..., CQRSBus],
    work: Any,
    status: str,
    error_type: str | None,
    is_error: bool,
) -> None:
    await traced_bus(handler_of(Do, work)).execute_command(Do())
    span = spans["Do"]
    assert (said(span)["cqrs.status"], said(span).get("error.type")) == (status, error_type)
    assert span.status.is_ok is not is_error
    assert SECRET not in span.to_json()


async def test_a_failed_result_that_middleware_returns_counts(spans: Spans, traced_bus: Callable[..., CQRSBus]) -> None:
    async def refuse(_: Any, __: Any) -> CommandResult[str]:
        return CommandResult[str].not_found("No.")

    bus = traced_bus(handler_of(Do, lambda _: "x"))
    bus.add_middleware(refuse)
    await bus.execute_command(Do())
    assert said(spans["Do"])["cqrs.status"] == "not_found"


async def test_a_bug_is_recorded_with_its_place_and_without_its_words(
    spans: Spans, traced_bus: Callable[..., CQRSBus]
) -> None:
    def divide(_: Any) -> str:
        raise ZeroDivisionError(SECRET)

    await traced_bus(handler_of(Do, divide)).execute_command(Do(what=SECRET))
    (recorded,) = spans["Do"].events
    attributes = dict(recorded.attributes or {})
    assert attributes["exception.type"] == "ZeroDivisionError"
    assert "in divide" in str(attributes["exception.stacktrace"])
    assert SECRET not in spans["Do"].to_json()


async def test_one_that_was_cancelled_says_so(spans: Spans, traced_bus: Callable[..., CQRSBus]) -> None:
    class Cancelled(BaseException):
        pass

    with pytest.raises(Cancelled):
        await traced_bus(handler_of(Do, raising(Cancelled()))).execute_command(Do())
    assert said(spans["Do"])["cqrs.status"] == "cancelled"
    assert not get_current_span().get_span_context().is_valid


async def test_what_a_handler_dispatches_is_inside(spans: Spans, traced_bus: Callable[..., CQRSBus]) -> None:
    async def ask(_: Any) -> Any:
        return (await bus.execute_query(Ask())).unwrap()

    bus = traced_bus(handler_of(Do, lambda _: bus.execute_command(DoMore())), handler_of(DoMore, ask))
    bus.register(handler_of(Ask, lambda _: "x"))
    await bus.execute_command(Do())
    assert parent(spans["Do"]) is None
    assert parent(spans["DoMore"]) == own(spans["Do"])
    assert parent(spans["Ask"]) == own(spans["DoMore"])
    assert said(spans["Ask"])["cqrs.kind"] == "query"


async def test_it_goes_on_with_the_trace_that_the_message_came_with(
    spans: Spans, traced_bus: Callable[..., CQRSBus]
) -> None:
    command = sent_by(None, Do(), traceparent=f"00-{TRACE}-{PARENT}-01")
    await traced_bus(handler_of(Do, lambda _: "x")).execute_command(command)
    assert (trace(spans["Do"]), parent(spans["Do"])) == (TRACE, PARENT)
    assert command.metadata.traceparent == f"00-{TRACE}-{own(spans['Do'])}-01"


@pytest.mark.parametrize("sent", ["nonsense", "00-xyz", f"00-{'0' * 32}-{PARENT}-01"])
async def test_nonsense_begins_a_trace(spans: Spans, traced_bus: Callable[..., CQRSBus], sent: str) -> None:
    await traced_bus(handler_of(Do, lambda _: "x")).execute_command(sent_by(None, Do(), traceparent=sent))
    assert spans["Do"].parent is None


async def test_what_is_not_traced_elsewhere_is_not_traced_here(
    spans: Spans, traced_bus: Callable[..., CQRSBus]
) -> None:
    command = sent_by(None, Do(), traceparent=f"00-{TRACE}-{PARENT}-00")
    await traced_bus(handler_of(Do, lambda _: "x")).execute_command(command)
    assert not spans.ended
    assert str(command.metadata.traceparent).endswith("-00")


async def test_the_span_around_wins_over_what_the_message_says(
    spans: Spans, traced_bus: Callable[..., CQRSBus]
) -> None:
    bus = traced_bus(handler_of(Do, lambda _: "x"))
    with spans.tracer.start_as_current_span("request") as request:
        await bus.execute_command(sent_by(None, Do(), traceparent=f"00-{TRACE}-{PARENT}-01"))
    assert parent(spans["Do"]) == own(request)


async def test_reactions_are_part_of_the_trace_of_the_command(spans: Spans, traced_bus: Callable[..., CQRSBus]) -> None:
    bus = traced_bus(
        handler_of(Do, lambda _: bus.publish_event(Happened()), transactional()),
        handler_of(Happened, lambda _: bus.publish_event(HappenedToo()), transactional(), in_transaction=True),
        handler_of(HappenedToo, lambda _: bus.execute_command(DoMore())),
        handler_of(DoMore, lambda _: "x"),
    )
    bus.register_event_handler(HappenedToo, type("SecondHandler", (handler_of(HappenedToo, lambda _: None),), {}))
    command = Do()
    await bus.execute_command(command)
    await bus.settled()

    first, second = spans["HappenedTooHandler"], spans["SecondHandler"]
    assert parent(spans["HappenedHandler"]) == parent(first) == parent(second) == own(spans["Do"])
    assert parent(spans["DoMore"]) == own(first)
    assert (first.kind, spans["HappenedHandler"].kind) == (SpanKind.CONSUMER, SpanKind.INTERNAL)
    assert said(first) == {
        "cqrs.kind": "event",
        "cqrs.message": "HappenedToo",
        "cqrs.handler": "HappenedTooHandler",
        "cqrs.operation_id": command.metadata.operation_id,
        "cqrs.status": "success",
    }
    assert len({trace(span) for span in spans.ended}) == 1


async def test_a_reaction_belongs_to_its_own_command_whoever_started_the_delivery(
    spans: Spans, traced_bus: Callable[..., CQRSBus]
) -> None:
    bus = traced_bus(
        handler_of(Do, lambda _: bus.publish_event(Happened()), transactional()),
        handler_of(DoMore, lambda _: bus.publish_event(HappenedToo()), transactional()),
        handler_of(Happened, lambda _: None),
        handler_of(HappenedToo, lambda _: None),
    )
    await bus.execute_command(Do())
    await bus.execute_command(DoMore())
    await bus.settled()
    assert parent(spans["HappenedHandler"]) == own(spans["Do"])
    assert parent(spans["HappenedTooHandler"]) == own(spans["DoMore"])


async def test_a_reaction_that_fails_says_so(spans: Spans, traced_bus: Callable[..., CQRSBus]) -> None:
    bus = traced_bus(
        handler_of(Do, lambda _: bus.publish_event(Happened()), transactional()),
        handler_of(Happened, raising(ZeroDivisionError(SECRET))),
    )
    await bus.execute_command(Do())
    await bus.settled()
    assert not spans["HappenedHandler"].status.is_ok
    assert SECRET not in spans["HappenedHandler"].to_json()
