"""Traces of the whole service, as a collector gets them: over HTTP, the bus, the database and the worker."""

import time

import pytest

from tests.api.callers import new_user
from tests.processes import PATIENCE_SECONDS
from tests.telemetry.conftest import Start
from tests.telemetry.mishaps import SECRET
from tests.telemetry.processes import until
from tests.telemetry.traces.conftest import WatchedVisitor
from tests.telemetry.traces.receivers import Receiver, SentSpan, receiver

CALLER = "00f067aa0ba902b7"
SERVER, CLIENT, CONSUMER = 2, 3, 5
LONGEST_END_SECONDS = 15.0
ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def named(spans: list[SentSpan], name: str) -> SentSpan:
    """The only span of this name."""
    (found,) = (span for span in spans if span.name == name)
    return found


@pytest.mark.parametrize("relay", ["service", "worker"])
def test_one_trace_from_the_request_to_the_reaction(
    start: Start, collector: Receiver, sentry: Receiver, relay: str
) -> None:
    settings = {"traces_url": collector.url, "service_name": "shop", "release": "abc123"}
    service = start(**settings, relay_in_service=relay == "service")
    visitor = WatchedVisitor(service, collector, sentry)
    answer = visitor.post(f"/api/users?q={SECRET}", json=new_user(password=SECRET * 3))
    assert answer.status_code == 201
    if relay == "worker":
        visitor.spans("CreateUserCommand")
        start("worker", **settings)

    spans = visitor.spans("POST /api/users", "CreateUserCommand", "INSERT", "SendWelcomeHandler")

    request, command = named(spans, "POST /api/users"), named(spans, "CreateUserCommand")
    reaction = named(spans, "SendWelcomeHandler")
    assert (request.parent_id, request.kind) == (CALLER, SERVER)
    assert command.parent_id == request.span_id
    assert (reaction.parent_id, reaction.kind) == (command.span_id, CONSUMER)
    statements = [span for span in spans if span.kind == CLIENT]
    assert {command.span_id, reaction.span_id} <= {span.parent_id for span in statements if span.name == "INSERT"}
    assert {span.trace_id for span in collector.spans()} == {request.trace_id}, "Background work has no traces."
    assert reaction.attributes["cqrs.operation_id"] == command.attributes["cqrs.operation_id"]
    assert reaction.attributes["cqrs.aggregate_id"] == answer.json()["user_id"]
    assert {"service.name": "shop", "service.version": "abc123"}.items() <= command.resource.items()
    assert command.resource["deployment.environment.name"] == "production"
    assert SECRET not in str(collector)


@ON_SQLITE
def test_a_worker_goes_on_with_the_trace_in_its_log(start: Start, collector: Receiver) -> None:
    visitor = WatchedVisitor(start(traces_url=collector.url, relay_in_service="false"), collector, collector)
    visitor.post("/mishaps/Announce")
    worker = start("worker", traces_url=collector.url)
    (line,) = until(lambda: worker.lines("announcement_refused"), worker.said)
    spans = visitor.spans("TakeAnnouncementHandler")
    assert (line["trace_id"], line["span_id"]) == (visitor.id, named(spans, "TakeAnnouncementHandler").span_id)
    assert worker.ends() == 0


def test_bugs_are_marked_and_nothing_secret_is_sent(visitor: WatchedVisitor) -> None:
    assert visitor.post("/mishaps/Divide").status_code == 500
    assert visitor.post("/mishaps/Refuse").status_code == 409

    spans = visitor.spans("Divide", "Refuse")

    assert (named(spans, "Divide").status, named(spans, "Divide").events) == (2, 1)
    assert named(spans, "Divide").attributes["error.type"] == "ZeroDivisionError"
    assert (named(spans, "Refuse").status, named(spans, "Refuse").events) == (0, 0)
    assert SECRET not in str(visitor.collector)


def test_lines_of_the_log_name_their_trace(visitor: WatchedVisitor) -> None:
    for name in ("Divide", "Refuse", "Announce"):
        visitor.post(f"/mishaps/{name}")

    spans = visitor.spans("Divide", "Refuse", "Announce")

    for line, span in {
        "operation_failed": "Divide",
        "operation_refused": "Refuse",
        "event_failed": "Announce",
        "event_dead": "Announce",
    }.items():
        assert visitor.lines(line)[0]["span_id"] == named(spans, span).span_id
    assert {line["span_id"] for line in visitor.lines("command")} == {
        named(spans, name).span_id for name in ("Divide", "Refuse", "Announce")
    }


def test_so_do_those_of_a_bug_outside_of_any_operation(visitor: WatchedVisitor) -> None:
    visitor.post("/mishaps/fall")
    assert visitor.lines("request_failed")[0]["span_id"] == named(visitor.spans(), "POST /mishaps/fall").span_id


def test_who_asks_all_day_long_is_not_traced(visitor: WatchedVisitor) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert visitor.service.client.get(path).status_code == 200
    visitor.post("/mishaps/Refuse")
    visitor.spans("POST /mishaps/{name}")
    assert not [span for span in visitor.collector.spans() if "/health" in span.name or "/metrics" in span.name]


@ON_SQLITE
def test_without_a_collector_there_are_no_spans_and_no_ids(start: Start, sentry: Receiver) -> None:
    service = start()
    WatchedVisitor(service, sentry, sentry).post("/mishaps/Refuse")
    (line,) = service.lines("operation_refused")
    assert "trace_id" not in line


@ON_SQLITE
def test_only_so_much_is_traced(start: Start, collector: Receiver) -> None:
    service = start(traces_url=collector.url, traces_ratio=0, otel_exporter_otlp_headers="x-api-key=k1")
    assert service.client.post("/mishaps/Refuse").status_code == 409
    visitor = WatchedVisitor(service, collector, collector)
    visitor.post("/mishaps/Divide")
    visitor.spans("Divide")
    assert {span.trace_id for span in collector.spans()} == {visitor.id}, "What others trace goes on here."
    assert {headers["x-api-key"] for headers in collector.headers} == {"k1"}


@ON_SQLITE
@pytest.mark.parametrize("trouble", ["down", "silent", "refusing"])
def test_a_collector_in_trouble_disturbs_nobody(start: Start, trouble: str) -> None:
    with receiver(silent=trouble == "silent", status=500 if trouble == "refusing" else 200) as collector:
        service = start(traces_url="http://127.0.0.1:1" if trouble == "down" else collector.url)
        refusals = [service.client.post("/mishaps/Refuse") for _ in range(20)]
        if trouble != "down":
            until(lambda: collector.bodies, service.said)
        refusals += [service.client.post("/mishaps/Refuse") for _ in range(3)]
        assert {refusal.status_code for refusal in refusals} == {409}
        assert min(refusal.elapsed.total_seconds() for refusal in refusals[-3:]) < 1
        (line,) = until(lambda: service.lines("spans_not_sent"), service.said)
        assert "rror" in line["reason"] or "Failed" in line["reason"]
        began = time.monotonic()
        assert service.ends() == 0
        assert time.monotonic() - began < LONGEST_END_SECONDS
        assert len(service.lines("spans_not_sent")) == 1
        assert "opentelemetry" not in "".join(line for line in service.said().splitlines() if "spans_not" not in line)
        assert "Traceback" not in service.said()


@ON_SQLITE
def test_when_the_collector_is_back_it_is_told(start: Start) -> None:
    with receiver(status=400) as collector:
        service = start(traces_url=collector.url)
        service.client.post("/mishaps/Refuse")
        until(lambda: service.lines("spans_not_sent"), service.said)
        collector.status = 200

        def is_told() -> list[object]:
            service.client.post("/mishaps/Refuse")
            return [*service.lines("spans_sent_again")]

        until(is_told, service.said)


@ON_SQLITE
def test_what_was_not_sent_yet_is_sent_at_the_end(start: Start, collector: Receiver) -> None:
    patient = {"spans_send_seconds": PATIENCE_SECONDS, "last_seconds": PATIENCE_SECONDS}
    service = start(traces_url=collector.url, spans_wait_seconds=600, **patient)
    service.client.post("/mishaps/Divide")
    assert not collector.bodies
    service.ends()
    assert "Divide" in {span.name for span in collector.spans()}
