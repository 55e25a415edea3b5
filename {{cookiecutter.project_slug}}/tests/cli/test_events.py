"""`app events`: what it prints."""

from app.core.config import Settings
from tests.cli.support import Run, objects, put
from tests.events import event_of


def test_the_events_of_one_aggregate_are_shown_in_order(run: Run, settings: Settings) -> None:
    second = put(settings, event_of("1", 2, event_type="Ended", payload={"note": "\x9b2J"}))
    first = put(settings, event_of("1", 1, payload={"customer": "Zoë"}))
    put(settings, event_of("2", 1))
    put(settings, event_of("1", 1, aggregate_type="Depot"))

    shown = run("events", "stream", "Thing", "1")

    assert shown.exit_code == 0
    when = first.occurred_at.isoformat(timespec="milliseconds")
    placed, completed = shown.stdout.splitlines()
    assert placed == f'   1  {when}  Happened  {{"customer": "Zoë"}}'
    assert completed.endswith('Ended  {"note": " 2J"}')
    as_json = objects(run("events", "stream", "Thing", "1", "--json"))
    assert [(event["id"], event["version"]) for event in as_json] == [(str(first.id), 1), (str(second.id), 2)]
    assert as_json[0]["payload"] == {"customer": "Zoë"}


def test_where_nothing_happened_that_is_said(run: Run) -> None:
    nothing = run("events", "stream", "Thing", "1")

    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert nothing.stderr == "The event log has nothing about Thing 1: is it the right id?\n"
