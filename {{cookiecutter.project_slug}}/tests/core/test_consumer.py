"""What comes from a broker: handled once, parked when it fails, and never in the way of others."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from app.core.broker import EventMessage
from app.core.consumer import Consumer
from app.core.cqrs import TransientError
from app.persistence.database import Database
from app.persistence.stored_event import StoredEvent
from app.persistence.tables import parked_events
from tests.core.cqrs.support import within_patience
from tests.events import Receiver, event_of, outbox_of, relay_of, row_of


def message_of(event: StoredEvent) -> EventMessage:
    """An event on its way."""
    return EventMessage(str(event.id), event.key, event.event_type, event.to_json())


class Inbox:
    """A consumer, and what is behind it."""

    def __init__(self, database: Database) -> None:
        self.receiver, self.parked_times = Receiver(), 0
        self.foreign: set[str] = set()
        self.database, self.parked = database, outbox_of(database, parked_events)
        self.consumer = Consumer(self.parked, self.receiver, self.concerns, self.note)

    async def concerns(self, event: StoredEvent) -> bool:
        return event.event_type not in self.foreign

    def note(self) -> None:
        self.parked_times += 1

    async def receive(self, *events: StoredEvent) -> None:
        for event in events:
            await self.consumer.receive(message_of(event))

    async def row(self, event: StoredEvent) -> Any:
        return await row_of(self.database, event.id, parked_events)


@pytest.fixture
def inbox(database: Database) -> Inbox:
    """A consumer on the test's database."""
    return Inbox(database)


async def test_an_event_arrives_as_it_was_sent(inbox: Inbox) -> None:
    event = event_of("a", 1)
    await inbox.receive(event)
    assert inbox.receiver.received == [event]
    assert inbox.parked_times == 0


async def test_one_that_fails_is_parked_with_what_follows_and_others_flow(inbox: Inbox) -> None:
    poison, behind, other = event_of("a", 1), event_of("a", 2), event_of("b", 1)
    inbox.receiver.refused = {poison.id}
    await inbox.receive(poison, behind, other)
    assert inbox.receiver.ids == [other.id]
    assert inbox.parked_times == 2
    parked = await inbox.row(poison)
    assert (parked.attempts, parked.last_error) == (1, "ValueError: This one does not go through.")
    assert (await inbox.row(behind)).attempts == 0


async def test_what_is_parked_is_delivered_in_order_when_it_is_cured(inbox: Inbox) -> None:
    events = [event_of("a", version) for version in (1, 2, 3)]
    inbox.receiver.refused = {events[0].id}
    await inbox.receive(*events)
    inbox.receiver.refused.clear()
    relay = relay_of(inbox.parked, inbox.receiver)
    async with relay.running():
        await within_patience(relay.idle())
    assert inbox.receiver.ids == [event.id for event in events]
    await inbox.receive(later := event_of("a", 4))
    assert inbox.receiver.ids[-1] == later.id


async def test_a_message_that_comes_twice_is_parked_once(inbox: Inbox) -> None:
    poison = event_of("a", 1)
    inbox.receiver.refused = {poison.id}
    await inbox.receive(poison, poison)
    assert inbox.receiver.tried[poison.id] == 1
    assert (await inbox.row(poison)).attempts == 1


async def test_events_of_others_are_passed_over(inbox: Inbox) -> None:
    inbox.foreign = {"Happened"}
    await inbox.receive(event_of("a", 1))
    assert inbox.receiver.tried == {}
    assert inbox.parked_times == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"occurred_at": datetime(2030, 5, 1)},  # noqa: DTZ001
        {"version": 2**31},
        {"event_version": 2**63},
        {"aggregate_id": "\x00"},
        {"event_type": "\x00"},
        {"payload": {"a": [{"b": "\x00"}]}},
        {"metadata": {"\x00": "a"}},
    ],
    ids=str,
)
async def test_what_no_database_takes_is_kept_too_and_does_not_come_again(inbox: Inbox, wrong: dict[str, Any]) -> None:
    event = replace(event_of("a", 1), **wrong)
    await inbox.consumer.receive(EventMessage("1", "key", event.event_type, event.to_json()))
    async with inbox.database.reading() as session:
        (row,) = (await session.execute(parked_events.select())).all()
    assert (row.dead, inbox.receiver.received) == (True, [])


async def test_one_without_an_aggregate_holds_up_no_other(inbox: Inbox) -> None:
    poison, other = event_of(None), event_of(None)
    inbox.receiver.refused = {poison.id}
    await inbox.receive(poison, other)
    assert inbox.receiver.received == [other]


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\x00", b'{"id": 1}', b"null", b"[" * 10_000])
async def test_what_nobody_can_read_is_kept_for_an_operator(inbox: Inbox, body: bytes) -> None:
    message = EventMessage("1", "key", "Odd", body)
    await inbox.consumer.receive(message)
    await inbox.consumer.receive(message)
    async with inbox.database.reading() as session:
        (row,) = (await session.execute(parked_events.select())).all()
    assert (row.event_type, row.dead, row.last_error) == (
        "Odd",
        True,
        "UnreadableMessageError: The message is not an event of ours.",
    )


async def test_while_the_database_is_away_a_message_stays_with_the_broker(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*args: Any) -> None:
        raise TransientError("The database cannot be reached.")

    event = event_of("a", 1)
    inbox.receiver.refused = {event.id}
    monkeypatch.setattr(inbox.parked, "put", away)
    with pytest.raises(TransientError):
        await inbox.receive(event)
    assert inbox.parked_times == 0
