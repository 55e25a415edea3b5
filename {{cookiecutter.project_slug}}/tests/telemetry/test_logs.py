"""What is logged and counted of each operation, in the whole service."""

import re
from datetime import datetime

import pytest

from tests.telemetry.conftest import Start, Visitor
from tests.telemetry.mishaps import SECRET
from tests.telemetry.processes import until
from tests.users import PASSWORD

ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def test_what_was_refused_or_failed_is_logged_with_who_asked_for_it(visitor: Visitor) -> None:
    user_id = visitor.signs_in()
    refused = visitor.post("/mishaps/signed-in/Refuse").json()
    failed = visitor.post("/mishaps/signed-in/Divide").json()

    for line, answer, error_type in (
        (visitor.lines("operation_refused")[-1], refused, "ConflictError"),
        (visitor.lines("operation_failed")[-1], failed, "ZeroDivisionError"),
    ):
        assert (line["user_id"], line["correlation_id"]) == (user_id, visitor.id)
        assert (line["operation_id"], line["error_type"]) == (answer["operation_id"], error_type)
        assert line["request_id"]
    assert "ZeroDivisionError: There is nothing to divide" in visitor.lines("operation_failed")[-1]["exception"]


def test_the_audit_trail_tells_who_did_what_to_which_aggregate_and_how_it_ended(visitor: Visitor) -> None:
    user_id = visitor.signs_in()
    wrong = {"current_password": f"not {PASSWORD}", "new_password": SECRET * 3}
    for body in (wrong, {**wrong, "current_password": PASSWORD}):
        visitor.send("PUT", f"/api/users/{user_id}/password", json=body)

    lines = [line for line in visitor.lines("command") if line["message_name"] == "ChangePasswordCommand"]

    assert [line["outcome"] for line in lines] == ["validation_error", "no_content"]
    for line in lines:
        assert datetime.fromisoformat(line.pop("timestamp")).tzinfo
        assert line == line | {
            "logger": "audit",
            "message_name": "ChangePasswordCommand",
            "aggregate_id": user_id,
            "user_id": user_id,
            "source": "http",
            "correlation_id": visitor.id,
        }
        assert SECRET not in str(line) and PASSWORD not in str(line)


@ON_SQLITE
def test_the_audit_trail_is_there_at_every_level(start: Start) -> None:
    service = start(log_level="error")
    service.client.post("/mishaps/Refuse")
    (line,) = service.lines("command")
    assert (line["message_name"], line["outcome"]) == ("Refuse", "conflict")
    assert not service.lines("operation_refused")


@ON_SQLITE
def test_it_can_be_left_out(start: Start) -> None:
    service = start(audit_log="false")
    service.client.post("/mishaps/Refuse")
    assert service.lines("operation_refused")
    assert not service.lines("command")


@ON_SQLITE
def test_operations_are_counted_and_timed_by_message_and_outcome(start: Start) -> None:
    service = start()
    for name in ("Announce", "Announce", "Refuse", "Divide"):
        service.client.post(f"/mishaps/{name}")
    until(lambda: service.lines("event_dead"), service.said)

    metrics = service.client.get("/metrics").text

    series = re.findall(r"^cqrs_operation_duration_seconds_(\w+)\{(.*)\} (\S+)$", metrics, re.MULTILINE)
    counted = {labels: float(value) for kind, labels, value in series if kind == "count" and "Command" not in labels}
    assert counted == {
        'message="Announce",status="success"': 2,
        'message="Refuse",status="conflict"': 1,
        'message="Divide",status="failed"': 1,
    }
    took = {labels: float(value) for kind, labels, value in series if kind == "sum"}
    assert 0 < took['message="Announce",status="success"'] < 10
    assert ("bucket", 'le="+Inf",message="Announce",status="success"', "2.0") in series
    assert re.search(r'^outbox_dead_events\{handler="\w+"\} [12]\.0$', metrics, re.MULTILINE)
