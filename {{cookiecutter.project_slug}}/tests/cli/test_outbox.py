"""`app outbox`: what it prints, and what it refuses."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import Result

from app.composition.container import running_service
from app.core.config import Settings
from app.core.ids import uuid7
from app.handlers.user.update_user_handler import UpdateUserCommand
from app.persistence.engine.database import Database
from tests.cli.support import Run, objects, put
from tests.events import event_of, store
from tests.persistence.failing_reactions import telephone
from tests.users import People


def test_the_status_is_a_table_or_json(run: Run, settings: Settings) -> None:
    put(settings, event_of("1", 1), OSError())
    put(settings, event_of("1", 2))
    put(settings, event_of("2", 1), OSError(), handler="Other", dead=False)

    shown = run("outbox", "status")

    assert shown.exit_code == 0
    title, new, first, other = shown.stdout.splitlines()
    assert title.startswith("handler  waiting  oldest (s)")
    assert {len(line) for line in (title, new, first, other)} == {len(title)}
    assert new.split() == ["(new)", "0", "0.0", "0", "0", "0"]
    assert (first.split()[:2], first.split()[3:]) == (["Handler", "2"], ["1", "1", "1"])
    assert (other.split()[:2], other.split()[3:]) == (["Other", "1"], ["1", "0", "0"])
    _, counted, _ = objects(run("outbox", "status", "--json"))
    assert counted.pop("oldest_seconds") > 0
    assert counted == {"handler": "Handler", "waiting": 2, "failed": 1, "dead": 1, "behind_dead": 1}


def test_what_failed_is_listed_with_its_reason_on_one_line(run: Run, settings: Settings) -> None:
    assert run("outbox", "list").stdout == "No event that waits has failed.\n"
    assert run("outbox", "list", "--dead").stdout == "No event that waits is dead.\n"
    dead = put(settings, event_of("1", 1), OSError("Torn\n\x1b[2Jcable " + "x" * 500))
    held_back = put(settings, event_of("2", 1, event_type="\x1b[31mRed"), OSError(), dead=False)
    put(settings, event_of("3", 1))

    shown = run("outbox", "list").stdout

    title, first, second = shown.splitlines()
    assert title.split()[:3] == ["id", "handler", "event"]
    assert first.startswith(f"{dead.id}  Handler  Happened")
    assert "Thing 1" in first and "never: dead" in first and "OSError: Torn  [2Jcable x" in first
    assert len(first) < 250
    assert str(held_back.id) in second and "never" not in second
    assert "\x1b" not in shown
    assert [row["id"] for row in objects(run("outbox", "list", "--json"))] == [str(dead.id), str(held_back.id)]
    (only_dead,) = objects(run("outbox", "list", "--dead", "--json"))
    assert (only_dead["dead"], only_dead["aggregate_id"], only_dead["attempts"]) == (True, "1", 1)
    assert len(objects(run("outbox", "list", "--limit", "1", "--json"))) == 1


def test_a_replay_says_how_many(run: Run, settings: Settings) -> None:
    first, second = (put(settings, event_of(number, 1), OSError()) for number in "12")

    assert run("outbox", "replay", first.id).stdout == "1 event will be retried now.\n"
    assert [row["dead"] for row in objects(run("outbox", "list", "--json"))] == [False, True]
    assert run("outbox", "replay", first.id, second.id).stdout == "2 events will be retried now.\n"
    assert run("outbox", "replay", "--all", "--handler", "Other").stdout == "0 events will be retried now.\n"


def test_a_replay_says_whose_handlers_this_release_does_not_have(run: Run, settings: Settings) -> None:
    put(settings, event_of("1", 1), OSError(), handler="Gone")
    put(settings, event_of("2", 1), OSError(), handler="SendWelcomeHandler")
    put(settings, event_of("3", 1), OSError(), handler="(broker)")

    told = run("outbox", "replay", "--all")

    assert told.stdout == "3 events will be retried now.\n"
    assert [line.partition(",")[0] for line in told.stderr.splitlines()] == [
        "This release has no (broker)",
        "This release has no Gone",
    ]
    assert 'app outbox purge --handler "Gone"' in told.stderr


def test_all_of_a_handler_are_its_dead_ones(run: Run, settings: Settings) -> None:
    put(settings, event_of("1", 1), OSError())
    put(settings, event_of("2", 1))
    put(settings, event_of("3", 1), OSError(), handler="Other")
    all_of_it = ("outbox", "purge", "--all", "--handler", "Handler")
    assert "Discard 1 event for ever?" in run(*all_of_it, typed="n\n").output
    assert run(*all_of_it, "--yes").stdout == "1 event discarded.\n"
    counted = {row["handler"]: row["waiting"] for row in objects(run("outbox", "status", "--json"))}
    assert counted == {"(new)": 0, "Handler": 1, "Other": 1}


async def test_what_has_no_class_is_listed_and_given_up_when_that_is_confirmed(
    run: Run, settings: Settings, database: Database
) -> None:
    before = datetime.now(UTC) - timedelta(hours=1)
    gone, other = event_of("1", 1, event_type="Gone", occurred_at=before), event_of("2", 1, event_type="Gone")
    await store(database, gone, other, event_of("1", 2, event_type="UserCreated"))

    def ran(*arguments: object, typed: str = "") -> Result:
        return run("outbox", *arguments, typed=typed)

    listed = await asyncio.to_thread(ran, "list", "--handler", "(new)")
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == [str(gone.id), str(other.id)]
    asked = await asyncio.to_thread(ran, "purge", gone.id, typed="n\n")
    assert "Discard 1 event for ever, 1 of them not dead?" in asked.output
    assert "1 event discarded." in (await asyncio.to_thread(ran, "purge", gone.id, "--yes")).stdout
    assert "1 event discarded." in (await asyncio.to_thread(ran, "purge", "--handler", "(new)", "--yes")).stdout
    status = objects(await asyncio.to_thread(ran, "status", "--json"))
    assert [row["waiting"] for row in status] == [1]


def test_events_are_given_up_when_that_is_confirmed(run: Run, settings: Settings) -> None:
    for number in "123":
        put(settings, event_of(number, 1), OSError())
    one = objects(run("outbox", "list", "--json"))[0]["id"]

    refused = run("outbox", "purge", "--all", typed="n\n")
    assert (refused.exit_code, "Discard 3 events for ever?" in refused.output) == (1, True)
    assert len(objects(run("outbox", "list", "--json"))) == 3
    assert "1 event discarded." in run("outbox", "purge", one, typed="y\n").stdout
    assert run("outbox", "purge", "--all", "--yes").stdout == "2 events discarded.\n"
    assert run("outbox", "purge", "--all").stdout == "0 events discarded.\n"


def test_all_that_waits_for_a_handler_that_is_gone_is_given_up_by_its_name(run: Run, settings: Settings) -> None:
    put(settings, event_of("1", 1), handler="Gone")
    put(settings, event_of("1", 2), handler="Gone")
    put(settings, event_of("2", 1), OSError())
    assert [row["handler"] for row in objects(run("outbox", "list", "--handler", "Gone", "--json"))] == []
    asked = run("outbox", "purge", "--handler", "Gone", typed="n\n").output
    assert "Discard 2 events for ever, 2 of them not dead?" in asked
    assert run("outbox", "purge", "--handler", "Gone", "--yes").stdout == "2 events discarded.\n"
    assert [row["handler"] for row in objects(run("outbox", "status", "--json"))] == ["(new)", "Handler"]


@pytest.mark.parametrize("command", ["replay", "purge"])
def test_what_makes_no_sense_is_refused_in_a_sentence(run: Run, settings: Settings, command: str) -> None:
    dead = put(settings, event_of("1", 1), OSError())
    unknown = uuid7()

    for arguments, told in (
        ((), "Name the events by their ids, or use --all."),
        ((dead.id, "--all"), "Name the events by their ids, or use --all."),
        ((dead.id, unknown), f"waits with the id {unknown}: see `app outbox list`. Nothing was changed."),
    ):
        refused = run("outbox", command, *arguments, typed="y\n")
        assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
        assert told in refused.stderr
    assert len(objects(run("outbox", "list", "--dead", "--json"))) == 1


def test_without_its_database_a_command_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    told = run("outbox", "status")

    assert (told.exit_code, told.stderr.count("\n")) == (1, 1)
    assert "The database cannot be opened" in told.stderr


def test_a_replica_is_not_asked(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put(settings, event_of("1", 1), OSError())
    late = "sqlite:///late.db" if settings.database_url.startswith("sqlite") else "postgresql://127.0.0.1:1/late"
    monkeypatch.setenv("READ_DATABASE_URL", late)

    assert objects(run("outbox", "status", "--json"))[1]["waiting"] == 1


async def test_what_a_running_service_could_not_deliver_is_delivered_after_the_cure(
    run: Run, settings: Settings
) -> None:
    telephone.repaired(but_for="UserCreated")
    # On PostgreSQL the command wakes the relay; elsewhere it has to look for itself.
    poll = 0.05 if settings.database_url.startswith("sqlite") else 600.0
    relaying = settings.model_copy(
        update={"relay_in_service": True, "event_max_attempts": 1, "relay_poll_seconds": poll}
    )
    async with running_service(relaying, ("app.handlers", "tests.persistence.failing_reactions")) as service:
        member = await People(service.bus).member()
        (await member.command(UpdateUserCommand(member.id, full_name="Somebody else"))).unwrap()
        await service.bus.settled()
        telephone.repaired()

        replayed = await asyncio.to_thread(run, "outbox", "replay", "--all")

        assert replayed.stdout == "1 event will be retried now.\n"
        await telephone.until_reached_about(member.id, "UserCreated", "UserUpdated")
