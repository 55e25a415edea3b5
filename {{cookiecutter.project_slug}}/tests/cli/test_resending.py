"""`app outbox resend`: what it prints, and what it refuses."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from app.composition import container
from app.core.config import Settings
from app.core.cqrs import DomainEvent
from tests.cli.support import Run, objects, put
from tests.events import event_of

LONG_AGO = "2001-01-01T00:00Z"


@dataclass(frozen=True, kw_only=True)
class Happened(DomainEvent):
    """An event that other services hear of."""

    public: ClassVar[bool] = True


@pytest.fixture(autouse=True)
def exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service with a broker and a public event."""
    monkeypatch.setenv("BROKER_URL", "any://broker.example")
    monkeypatch.setattr(container, "HANDLERS", __name__)


def test_it_says_how_many_events_are_sent_again(run: Run, settings: Settings) -> None:
    for number in "12":
        put(settings, event_of(number, 1))
    put(settings, event_of("1", 2, event_type="Private"))

    assert run("outbox", "resend", "--since", LONG_AGO, typed="n\n").exit_code == 1
    assert run("outbox", "resend", "--since", LONG_AGO, "--until", LONG_AGO, "--yes").stdout == (
        "0 events will be sent again.\n"
    )
    asked = run("outbox", "resend", "--since", LONG_AGO, "--type", "Happened", typed="y\n")

    assert "Services that received such old events handle them again." in asked.stdout
    assert asked.stdout.endswith("2 events will be sent again.\n")
    waiting = {row["handler"]: row["waiting"] for row in objects(run("outbox", "status", "--json"))}
    assert waiting["(broker)"] == 2
    assert run("outbox", "resend", "--since", "2999-01-01T00:00:00+02:00").stdout == "0 events will be sent again.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--since"),
        (("--since", "2026-01-02T03:00"), "does not match"),
        (("--since", LONG_AGO, "--yes", "--type", "Private"), "Not public: Private. Public events: "),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, settings: Settings, arguments: tuple[str, ...], told: str) -> None:
    refused = run("outbox", "resend", *arguments)
    assert refused.exit_code != 0
    assert told in refused.stderr


def test_without_a_broker_nothing_is_sent_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "")
    assert run("outbox", "resend", "--since", LONG_AGO, "--yes").stderr == (
        "BROKER_URL is not set, so nobody would send the events: set it as in the service.\n"
    )
