"""Bugs and dead events of the whole service, as a Sentry gets them."""

import time

import pytest

from tests.processes import PATIENCE_SECONDS
from tests.telemetry.conftest import Start
from tests.telemetry.mishaps import SECRET
from tests.telemetry.processes import until
from tests.telemetry.traces.conftest import WatchedVisitor
from tests.telemetry.traces.hurry import MOST_WAITING
from tests.telemetry.traces.receivers import Receiver, receiver
from tests.users import PASSWORD

ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
LONGEST_END_SECONDS = 15.0


def dsn(server: Receiver) -> str:
    """The address of project 1 there."""
    return server.url.replace("http://", "http://key@") + "/1"


def test_a_bug_is_reported_with_its_place_and_nothing_secret(visitor: WatchedVisitor) -> None:
    answer = visitor.post("/mishaps/Divide")

    (report,) = visitor.reports()

    (described,) = report["exception"]["values"]
    assert (described["type"], described["value"]) == ("ZeroDivisionError", "")
    assert [frame["function"] for frame in described["stacktrace"]["frames"]][-2:] == ["_handle", "_divide"]
    assert (report["release"], report["environment"], report["transaction"]) == ("abc123", "production", "Divide")
    assert report["tags"] == {
        "service": "shop",
        "message_name": "Divide",
        "operation_id": answer.json()["operation_id"],
        "correlation_id": visitor.id,
        "source": "http",
    }
    assert set(visitor.sentry.paths) == {"/api/1/envelope/"}
    assert SECRET not in str(visitor.sentry)


def test_it_says_who_the_caller_was_by_id_alone(visitor: WatchedVisitor) -> None:
    user_id = visitor.signs_in()
    visitor.post("/mishaps/signed-in/Divide")

    (report,) = visitor.reports()

    assert report["user"] == {"id": user_id}
    for personal in (SECRET, PASSWORD, visitor.token, "@example.org", "Lovelace", "127.0.0.1"):
        assert str(personal) not in str(report)


def test_what_is_refused_is_not_reported_and_a_dead_event_is(visitor: WatchedVisitor) -> None:
    assert visitor.post("/mishaps/Refuse").status_code == 409
    assert visitor.post("/mishaps/Announce").status_code == 200

    (report,) = visitor.reports()

    assert report["tags"]["message_name"] == "Announced"
    assert report["tags"]["operation_id"] == visitor.lines("event_dead")[0]["operation_id"]
    assert SECRET not in str(report)


def test_a_bug_outside_of_any_operation_is_reported(visitor: WatchedVisitor) -> None:
    answer = visitor.post(f"/mishaps/fall?q={SECRET}")

    (report,) = visitor.reports()

    assert answer.status_code == 500
    assert report["transaction"] == "POST /mishaps/fall"
    assert report["tags"]["operation_id"] == answer.headers["x-request-id"]
    assert SECRET not in str(report)


@ON_SQLITE
def test_an_event_that_dies_in_a_worker_is_reported(start: Start, sentry: Receiver) -> None:
    service = start(relay_in_service="false")
    service.client.post("/mishaps/Announce")
    worker = start("worker", error_reports_url=dsn(sentry))
    (report,) = until(sentry.reports, worker.said)
    assert report["tags"]["message_name"] == "Announced"


@ON_SQLITE
@pytest.mark.parametrize("trouble", ["down", "silent", "refusing"])
def test_a_sentry_in_trouble_disturbs_nobody_and_a_storm_does_not_flood_it(start: Start, trouble: str) -> None:
    with receiver(silent=trouble == "silent", status=500 if trouble == "refusing" else 200) as sentry:
        service = start(error_reports_url="http://key@127.0.0.1:1/1" if trouble == "down" else dsn(sentry))
        took = [service.client.post("/mishaps/Divide").elapsed.total_seconds() for _ in range(2 * MOST_WAITING)]
        if trouble == "silent":
            until(lambda: sentry.bodies, service.said)
            assert len(sentry.bodies) == 1, "It waits for the first answer."
        assert min(took) < 1
        began = time.monotonic()
        service.ends()
        assert time.monotonic() - began < LONGEST_END_SECONDS
        assert len(service.lines("operation_failed")) == 2 * MOST_WAITING, "The log has them all."
        assert not service.lines("error_not_reported")


@ON_SQLITE
def test_what_was_not_sent_yet_is_sent_at_the_end(start: Start, sentry: Receiver) -> None:
    service = start(error_reports_url=dsn(sentry), last_seconds=PATIENCE_SECONDS)
    for _ in range(MOST_WAITING - 1):
        service.client.post("/mishaps/Divide")
    service.ends()
    assert len(sentry.reports()) == MOST_WAITING - 1
