"""What comes from a broker: kept once, before the broker is told, and never in the way of others."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, ClassVar, Self
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from app.composition import consumer
from app.composition.cloud_events import encode
from app.composition.consumer import Consumer
from app.core.broker import EventMessage
from app.core.cqrs import DomainEvent, TransientError
from app.core.event_types import EventTypes
from app.persistence.engine.database import Database
from app.persistence.event_tables import reactions, received_events
from app.persistence.events import outbox_statements
from app.persistence.events import received_events as keeping
from app.persistence.events.outbox_statements import SKIPPED, UNREADABLE
from app.persistence.events.reaction import Outcome
from app.persistence.events.stored_event import StoredEvent
from app.persistence.events.waiting_events import LONGEST_BODY, failed_events
from app.persistence.sweeping import PLACE_IN_ORDER
from tests.events import HANDLER, OTHERS, claim, event_of, outbox_of


class Happened(DomainEvent):
    """Something that happened at another service."""

    event_source = OTHERS
    event_type = "Happened"


class Told(DomainEvent):
    """Something that another service tells in JSON of its own."""

    event_source = "teller"
    event_type = "Told"
    answers: ClassVar[Any] = None

    @classmethod
    def from_foreign(cls, message: dict[str, Any]) -> dict[str, Any] | None:
        """Whatever a test wants it to be."""
        return cls.answers() if message.get("kind") == "told" else None


class Inbox:
    """A consumer, and what is behind it."""

    def __init__(self, database: Database) -> None:
        self.kept_times = 0
        self.database = database
        self.consumer = Consumer(database, EventTypes([Happened, Told]), self.note)

    def note(self) -> None:
        self.kept_times += 1

    async def receive(self, event: StoredEvent, source: str = OTHERS, previous: int | None = None) -> None:
        await self.consumer.receive(message(encode(event, source, previous)))

    async def rows(self) -> list[Any]:
        async with self.database.reading() as session:
            return list((await session.execute(received_events.select())).all())


TOLD: dict[str, Any] = {"id": "1", "time": "2026-01-02T12:00:00Z", "data": {}}


def message(body: bytes) -> EventMessage:
    """A message that arrives."""
    return EventMessage(str(uuid4()), "key", "Happened", body)


@pytest.fixture
def inbox(database: Database) -> Inbox:
    """A consumer on the test's database."""
    return Inbox(database)


async def test_an_event_is_kept_as_it_was_sent_and_the_relay_is_told(inbox: Inbox) -> None:
    event = event_of("a", 7, payload={"what": "this"})
    await inbox.receive(event, previous=5)
    (row,) = await inbox.rows()
    assert (row.aggregate_type, row.aggregate_id, row.version, row.previous) == ("Thing", "a", 7, 5)
    assert (row.event_type, row.payload, row.occurred_at) == ("Happened", {"what": "this"}, event.occurred_at)
    assert (row.source, row.published_at, inbox.kept_times) == (OTHERS, None, 1)


@pytest.mark.parametrize("databases", [pytest.param("postgresql", marks=pytest.mark.integration)], indirect=True)
async def test_the_clock_of_the_server_says_when_an_event_came(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2001, 1, 1, tzinfo=tz)

    before = datetime.now(UTC)
    for module in (keeping, outbox_statements):
        monkeypatch.setattr(module, "datetime", Slow, raising=False)
    await inbox.receive(event_of("a", 1))
    await inbox.consumer.receive(message(b'{"kind": "told"}'))
    assert [row.received_at > before - timedelta(seconds=30) for row in await inbox.rows()] == [True, True]


async def test_a_message_that_comes_twice_is_kept_once(inbox: Inbox) -> None:
    event = event_of("a", 1)
    for _ in range(2):
        await inbox.receive(event)
    assert len(await inbox.rows()) == 1


@pytest.mark.parametrize(("event_type", "source"), [("Happened", "this-service"), ("Happened", "strangers")])
async def test_what_no_class_names_is_passed_over(inbox: Inbox, event_type: str, source: str) -> None:
    await inbox.receive(event_of("a", 1, event_type=event_type), source)
    assert (await inbox.rows(), inbox.kept_times) == ([], 0)


async def test_an_event_does_not_wait_for_one_that_no_class_names(inbox: Inbox) -> None:
    outbox = outbox_of(inbox.database)
    seen: list[int | None] = []
    for version, event_type, previous in ((6, "Happened", 4), (4, "Unheard", 2), (2, "Happened", None)):
        assert seen == []
        await inbox.receive(event_of("a", version, event_type=event_type, payload={"a": 1}), previous=previous)
        claimed = await claim(outbox)
        while claimed:
            seen += [one.event.version for one in claimed]
            claimed = await outbox.turn([Outcome(one) for one in claimed], {HANDLER: 9})
    assert seen == [2, 6]
    assert [row.payload for row in await inbox.rows() if row.event_type == SKIPPED] == [{}]


@pytest.mark.parametrize("is_handed_out", [True, False])
async def test_an_event_that_no_class_named_is_kept_when_it_comes_again_and_one_does(
    inbox: Inbox, is_handed_out: bool
) -> None:
    event, outbox = event_of("a", 1, payload={"a": 1}), outbox_of(inbox.database)
    await inbox.receive(replace(event, event_type="Unheard"))
    assert not is_handed_out or await claim(outbox) == []
    await inbox.receive(event)
    await inbox.receive(replace(event, event_type="Unheard"))
    (claimed,) = await claim(outbox)
    assert (claimed.event.event_type, claimed.event.payload) == ("Happened", {"a": 1})
    await inbox.receive(event)
    assert await claim(outbox) == []
    (row,) = await inbox.rows()
    assert row.published_at is not None


async def test_an_event_that_was_emptied_is_handled_again_when_it_comes_again(inbox: Inbox) -> None:
    event, outbox = event_of("a", 1, payload={"a": 1}), outbox_of(inbox.database)
    await inbox.receive(event)
    (first,) = await claim(outbox)
    assert await outbox.turn([Outcome(first)], {HANDLER: 9}) == []
    async with inbox.database.writing_engine.begin() as connection:
        await connection.execute(received_events.update().values(PLACE_IN_ORDER))
    await inbox.receive(event_of("a", 2), previous=1)
    (following,) = await claim(outbox)
    assert following.event.version == 2, "its place in the order is known"
    await outbox.turn([Outcome(following)], {})
    await inbox.receive(event)
    (again,) = await claim(outbox)
    assert (again.event.id, again.event.payload) == (first.event.id, {"a": 1})


@pytest.mark.parametrize("wrong", [{"time": "then"}, {"subject": None}, {"sequence": None}], ids=str)
async def test_an_event_that_no_class_names_and_that_has_no_place_in_an_order_is_passed_over(
    inbox: Inbox, wrong: dict[str, Any]
) -> None:
    said = json.loads(encode(event_of("a", 1, event_type="Unheard"), OTHERS)) | wrong
    await inbox.consumer.receive(message(json.dumps(said).encode()))
    assert await inbox.rows() == []


@pytest.mark.parametrize(
    "body", [b"", b"\xff\x00", b"null", b"[" * 10_000, b'{"id": 1}', b'{"specversion": "1.0", "id": "1", "source": 7}']
)
async def test_what_is_no_event_is_passed_over_with_a_line_in_the_log(inbox: Inbox, body: bytes) -> None:
    with capture_logs() as logs:
        await inbox.consumer.receive(message(body))
    assert await inbox.rows() == []
    assert [(line["event"], line["log_level"]) for line in logs] == [("message_skipped", "warning")]


async def test_many_messages_that_are_no_events_are_told_in_few_lines(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as logs:
        for seconds in (0.0, 59.9, 60.0, 60.1):
            monkeypatch.setattr(consumer, "monotonic", lambda at=seconds: 1000.0 + at)
            await inbox.consumer.receive(message(b"{}"))
    assert [line.get("skipped") for line in logs] == [1, None, 2, None]
    assert [line["log_level"] for line in logs] == ["warning", "debug"] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": "2030-05-01T00:00:00"},
        {"sequence": 2**31},
        {"data": {"a": [{"b": "\x00"}]}},
        {"data": 7},
        {"data": {"a": "\ud83d"}},
    ],
    ids=str,
)
async def test_what_nobody_can_read_is_kept_for_an_operator(inbox: Inbox, wrong: dict[str, Any]) -> None:
    body = json.dumps(json.loads(encode(event_of("a", 1), OTHERS)) | wrong).encode()
    unreadable = message(body)
    for _ in range(2):
        await inbox.consumer.receive(unreadable)
    (row,) = await inbox.rows()
    async with inbox.database.reading() as session:
        (waits,) = (await session.execute(reactions.select())).all()
    assert (waits.event_id, waits.handler, waits.dead) == (row.id, UNREADABLE, True)
    assert waits.last_error.startswith("UnreadableMessageError: ")
    assert row.published_at is not None
    (listed,) = await failed_events(inbox.database, dead_only=True, limit=9)
    assert (listed.source, listed.body) == (OTHERS, body.decode())


@pytest.mark.parametrize("length", [LONGEST_BODY, LONGEST_BODY + 1])
async def test_the_beginning_of_a_message_that_nobody_can_read_is_shown(inbox: Inbox, length: int) -> None:
    body = f'{{"kind": "told", "é": "{"x" * (length - 25)}"}}'
    assert len(body) == length
    await inbox.consumer.receive(message(body.encode()))
    (listed,) = await failed_events(inbox.database, dead_only=True, limit=9)
    assert (listed.source, listed.body) == ("teller", body[:LONGEST_BODY])


@pytest.mark.parametrize(
    "answer",
    [
        lambda: ("1", "2026-01-02T12:00:00Z"),
        lambda: "text",
        lambda: TOLD | {"data": {"id": uuid4()}},
        lambda: TOLD | {"data": {"amount": Decimal(1)}},
        lambda: TOLD | {"data": {"at": datetime.now(UTC)}},
        lambda: TOLD | {"data": {"them": ("a", "\x00")}},
        lambda: TOLD | {"data": {"half": "\ud800"}},
        lambda: TOLD | {"data": {b"key": 1}},
        lambda: TOLD | {"data": set[int]()},
        lambda: TOLD | {"id": "\ud800"},
        lambda: TOLD | {"subject": uuid4(), "sequence": 1},
        lambda: TOLD | {"time": datetime.now(UTC)},
    ],
)
async def test_what_a_class_makes_of_a_message_and_cannot_be_stored_is_kept_for_an_operator(
    inbox: Inbox, answer: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Told, "answers", answer)
    await inbox.consumer.receive(message(b'{"kind": "told"}'))
    async with inbox.database.reading() as session:
        (waits,) = (await session.execute(reactions.select())).all()
    assert (waits.handler, waits.dead) == (UNREADABLE, True)
    assert waits.last_error.startswith("UnreadableMessageError: ")


async def test_while_the_database_is_away_a_message_stays_with_the_broker(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*args: Any) -> None:
        raise TransientError("The database cannot be reached.")

    monkeypatch.setattr(keeping, "keep", away)
    with pytest.raises(TransientError):
        await inbox.receive(event_of("a", 1))
    assert inbox.kept_times == 0
