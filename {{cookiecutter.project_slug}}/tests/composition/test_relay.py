"""The relay: in the order of each aggregate, once when nothing fails, and never less than once."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.composition import outages, pace
from app.composition import relay as relay_module
from app.composition.relay import Relay
from app.core.config import Settings
from app.persistence.engine.database import Database
from app.persistence.event_tables import reactions
from app.persistence.events.reaction import Claimed
from app.persistence.events.stored_event import StoredEvent
from tests.core.cqrs.support import PATIENCE, within_patience
from tests.events import (
    HANDLER,
    MOST_ATTEMPTS,
    AwayError,
    Receiver,
    event_of,
    outbox_of,
    reaction_of,
    relay_of,
    row_of,
    store,
)


@pytest.fixture
def receiver() -> Receiver:
    """To whom events are delivered."""
    return Receiver()


async def test_everything_is_delivered_once(database: Database, receiver: Receiver) -> None:
    events = [event_of(name, version) for name in "abcde" for version in range(50, 0, -1)]
    events += [event_of(None) for _ in range(150)]
    ids = await store(database, *events)
    relay = relay_of(outbox_of(database), receiver)
    async with relay.running():
        await within_patience(relay.idle())
        assert sorted(receiver.ids) == sorted(ids)
        for name in "abcde":
            assert [e.version for e in receiver.received if e.aggregate_id == name] == list(range(1, 51))
        await within_patience(relay.idle())
    assert len(receiver.received) == len(ids)
    assert (await row_of(database, ids[0])).published_at is not None
    assert await reaction_of(database, ids[0]) is None


@pytest.mark.parametrize("relays", [2, 4])
async def test_many_relays_deliver_each_event_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, relays: int
) -> None:
    monkeypatch.setattr("app.persistence.events.outbox.LEASE_SECONDS", 300)  # SQLite is not fair to all of them
    databases = [Database(settings) for _ in range(relays)]
    receiver = Receiver()
    ids = await store(databases[0], *(event_of(name, v) for v in range(1, 101) for name in "abcdef"))
    working = [relay_of(outbox_of(database), receiver, poll_seconds=0.02) for database in databases]

    async with working[0].running(), working[1].running(), working[-1].running(), working[-2].running():
        await asyncio.wait_for(receiver.has(len(ids)), 90)
        await asyncio.gather(*(relay.idle() for relay in working))
    assert sorted(receiver.ids) == sorted(ids)
    for name in "abcdef":
        assert [e.version for e in receiver.received if e.aggregate_id == name] == list(range(1, 101))
    for database in databases:
        await database.close()


async def test_a_failing_event_holds_up_its_own_aggregate_only(database: Database, receiver: Receiver) -> None:
    poison, behind, other = event_of("a", 1), event_of("a", 2), event_of("b", 1)
    await store(database, poison, behind, other)
    receiver.refused = {poison.id}
    relay = relay_of(outbox_of(database), receiver)
    async with relay.running():
        await within_patience(relay.idle())
        assert receiver.ids == [other.id]
        assert receiver.tried[poison.id] == MOST_ATTEMPTS
        row = await reaction_of(database, poison.id)
        assert row is not None
        assert (row.dead, row.attempts, row.due_at) == (True, MOST_ATTEMPTS, None)
        assert row.last_error == "ValueError: This one does not go through."
        waits = await reaction_of(database, behind.id)
        assert waits is not None and not waits.dead


async def test_what_failed_is_tried_again_after_a_while_and_in_order(database: Database, receiver: Receiver) -> None:
    first, second = event_of("a", 1), event_of("a", 2)
    await store(database, first, second)
    receiver.refused = {first.id}
    relay = relay_of(outbox_of(database, retry_seconds=3600), receiver, poll_seconds=0.02)
    async with relay.running():
        await within_patience(relay.idle())
        assert receiver.tried == {first.id: 1}
        receiver.refused.clear()
        async with database.writing() as session, session.begin():
            due = update(reactions).where(reactions.c.due_at.is_not(None))
            await session.execute(due.values(due_at=datetime.now(UTC)))
        await within_patience(receiver.has(2))
    assert receiver.ids == [first.id, second.id]


async def test_an_outage_is_nobodys_attempt(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "LONGEST_OUTAGE_WAIT_SECONDS", 0.01)
    ids = await store(database, *(event_of(name, 1) for name in "abc"))
    receiver.down = True
    relay = relay_of(outbox_of(database), receiver)
    async with relay.running():

        async def tried_often() -> None:
            while sum(receiver.tried.values()) < 10 * MOST_ATTEMPTS:
                await relay.idle()

        await within_patience(tried_often())
        row = await reaction_of(database, ids[0])
        assert row is not None
        assert (row.attempts, row.dead, row.last_error) == (0, False, None)
        receiver.down = False
        await within_patience(receiver.has(len(ids)))
    assert sorted(receiver.ids) == sorted(ids)


async def test_what_was_delivered_before_an_outage_is_not_delivered_again(
    database: Database, receiver: Receiver
) -> None:
    events = [event_of("a", version) for version in (1, 2, 3)]
    await store(database, *events)

    async def then_down(claimed: Claimed) -> None:
        await receiver(claimed)
        receiver.down = True

    relay = Relay(outbox_of(database), then_down, places=lambda _: 1, poll_seconds=60, pausing=(AwayError,))
    async with relay.running():
        await within_patience(relay.idle())
    assert receiver.ids == [events[0].id]
    assert await reaction_of(database, events[0].id) is None
    assert await reaction_of(database, events[1].id) is not None


async def test_it_works_for_so_many_aggregates_at_once(database: Database, receiver: Receiver) -> None:
    await store(database, *(event_of(str(number), 1) for number in range(20)))
    relay = relay_of(outbox_of(database), receiver, at_once=3)
    async with relay.running():
        await within_patience(relay.idle())
    assert receiver.most_at_once == 3
    assert len(receiver.received) == 20


async def test_a_commit_wakes_it(database: Database, receiver: Receiver) -> None:
    relay = relay_of(outbox_of(database), receiver)
    async with relay.running():
        await within_patience(relay.idle())
        await store(database, event_of("a", 1))
        relay.add([])
        await within_patience(receiver.has(1))


async def test_it_looks_by_itself_too(database: Database, receiver: Receiver) -> None:
    relay = relay_of(outbox_of(database), receiver, poll_seconds=0.02)
    async with relay.running():
        await within_patience(relay.idle())
        await store(database, event_of("a", 1))
        await within_patience(receiver.has(1))


async def test_at_its_end_it_finishes_what_it_began(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "DRAIN_SECONDS", PATIENCE)
    begun, go_on, delivered = asyncio.Event(), asyncio.Event(), list[StoredEvent]()

    async def slowly(claimed: Claimed) -> None:
        begun.set()
        await go_on.wait()
        delivered.append(claimed.event)

    first, second = await store(database, event_of("a", 1), event_of("a", 2))
    relay = Relay(outbox_of(database), slowly, places=lambda _: 1, poll_seconds=60)

    async def run() -> None:
        async with relay.running():
            await begun.wait()

    ending = asyncio.create_task(run())
    await within_patience(begun.wait())
    asyncio.get_running_loop().call_soon(go_on.set)
    await within_patience(ending)
    assert [event.id for event in delivered] == [first]
    assert await reaction_of(database, first) is None
    assert await reaction_of(database, second) is not None
    await within_patience(relay.idle())  # it is over: there is nothing to wait for


async def test_a_delivery_that_never_ends_does_not_keep_the_service_from_ending(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "DRAIN_SECONDS", 0.05)
    monkeypatch.setattr(relay_module, "GIVE_BACK_SECONDS", 60)
    begun = asyncio.Event()

    async def for_ever(claimed: Claimed) -> None:
        begun.set()
        await asyncio.Event().wait()

    (event_id,) = await store(database, event_of("a", 1))
    relay = Relay(outbox_of(database), for_ever, places=lambda _: 1, poll_seconds=60)
    async with asyncio.timeout(20), relay.running():
        await begun.wait()
        await relay.finish()
        monkeypatch.setattr(relay_module, "DRAIN_SECONDS", 60)  # which are not to be had a second time
    row = await reaction_of(database, event_id)
    assert row is not None
    assert (row.claimed_by, row.attempts) == (None, 0), "others may have it at once"


async def test_a_database_that_is_away_is_waited_for(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "LONGEST_OUTAGE_WAIT_SECONDS", 0.01)
    outbox, away = outbox_of(database), True
    turn = outbox.turn

    async def sometimes(*arguments: Any) -> list[Claimed]:
        if away:
            raise OSError("The database is away.")
        return await turn(*arguments)

    monkeypatch.setattr(outbox, "turn", sometimes)
    await store(database, event_of("a", 1))
    relay = relay_of(outbox, receiver)
    async with relay.running():
        await within_patience(relay.idle())
        assert not receiver.received
        away = False
        await within_patience(receiver.has(1))


async def test_what_is_done_is_told_to_a_database_that_was_away(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "LONGEST_OUTAGE_WAIT_SECONDS", 0.01)
    outbox, failures = outbox_of(database), [OSError("The database is away.")]
    turn = outbox.turn

    async def once_away(outcomes: Any, free: Any) -> list[Claimed]:
        if outcomes and failures:
            raise failures.pop()
        return await turn(outcomes, free)

    monkeypatch.setattr(outbox, "turn", once_away)
    first, second = await store(database, event_of("a", 1), event_of("a", 2))
    async with relay_of(outbox, receiver).running():
        await within_patience(receiver.has(2))
    assert not failures
    assert receiver.tried == {first: 1, second: 1}


async def test_what_takes_long_stays_claimed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "LEASE_SECONDS", 0.03)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(claimed: Claimed) -> None:
        begun.set()
        await go_on.wait()

    (event_id,) = await store(database, event_of("a", 1))

    async def lease_ends() -> datetime:
        row = await reaction_of(database, event_id)
        assert row is not None
        ends: datetime = row.due_at
        return ends

    async def renewed_after(before: datetime) -> None:
        while await lease_ends() <= before:
            pass

    async with Relay(outbox_of(database), slowly, places=lambda _: 1, poll_seconds=60).running():
        await within_patience(begun.wait())
        for _ in range(2):
            await within_patience(renewed_after(await lease_ends()))
        go_on.set()


async def test_what_is_new_is_looked_for_again_when_the_database_was_away(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "LONGEST_OUTAGE_WAIT_SECONDS", 0.01)
    outbox, failures = outbox_of(database), [OSError("The database is away.")]
    hand_out = outbox.hand_out

    async def once_away() -> bool:
        if failures:
            raise failures.pop()
        return await hand_out()

    monkeypatch.setattr(outbox, "hand_out", once_away)
    await store(database, event_of("a", 1))
    async with relay_of(outbox, receiver).running():
        await within_patience(receiver.has(1))


async def test_what_is_done_is_stored_although_the_next_takes_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "AHEAD_SECONDS", 0.01)
    monkeypatch.setattr(relay_module, "LEASE_SECONDS", 300.0)
    tried, begun, go_on = list[Claimed](), asyncio.Event(), asyncio.Event()

    async def then_stuck(claimed: Claimed) -> None:
        tried.append(claimed)
        if len(tried) > 1:
            begun.set()
            await go_on.wait()

    async def nothing_new() -> bool:
        return False

    async def first_is_stored() -> None:
        await begun.wait()
        while await reaction_of(database, tried[0].event.id) is not None:
            pass

    await store(database, *(event_of(name, 1) for name in "abcd"))
    outbox = outbox_of(database)
    await outbox.hand_out()
    monkeypatch.setattr(outbox, "hand_out", nothing_new)
    relay = Relay(outbox, then_stuck, places=lambda _: 1, poll_seconds=60)
    monkeypatch.setattr(relay._deliveries, "free", lambda handlers: {HANDLER: 4})
    async with relay.running():
        await within_patience(first_is_stored())
        assert len(tried) == 2, "the second takes long, and two more were claimed in advance"
        go_on.set()


async def test_what_was_claimed_in_advance_is_given_back(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "DRAIN_SECONDS", 0.05)
    monkeypatch.setattr(relay_module, "GIVE_BACK_SECONDS", 60)
    tried, begun = list[Claimed](), asyncio.Event()

    async def then_stuck(claimed: Claimed) -> None:
        tried.append(claimed)
        if len(tried) > 1:
            begun.set()
            await asyncio.Event().wait()

    async def claimed_now() -> int:
        held = select(func.count()).where(reactions.c.claimed_by.is_not(None))
        async with database.reading() as session:
            return await session.scalar(held) or 0

    await store(database, *(event_of(name, 1) for name in "abcde"))
    async with Relay(outbox_of(database), then_stuck, places=lambda _: 1, poll_seconds=60).running():
        await within_patience(begun.wait())
        assert await claimed_now() == 2, "one is handled, and one is to be next"
    assert await claimed_now() == 0


async def test_a_handler_that_has_all_its_places_taken_takes_none_of_others(database: Database) -> None:
    handled, go_on, all_handled = list[Claimed](), asyncio.Event(), asyncio.Event()

    async def deliver(claimed: Claimed) -> None:
        if claimed.handler == "Slow":
            await go_on.wait()
            return
        handled.append(claimed)
        if len(handled) == 5:
            all_handled.set()

    await store(database, *(event_of(name, 1) for name in "abcde"))
    places = {"Slow": 5, "Fast": 1}
    async with Relay(
        outbox_of(database, *places), deliver, places=lambda name: places[name], poll_seconds=60
    ).running():
        await within_patience(all_handled.wait())
        go_on.set()


async def test_an_outage_for_one_handler_is_none_for_others(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[Claimed]()

    async def deliver(claimed: Claimed) -> None:
        if claimed.handler == "Away":
            tried.append(claimed)
            raise AwayError("It is away.")
        await receiver(claimed)

    await store(database, *(event_of(name, version) for name in "abc" for version in (1, 2)))
    outbox = outbox_of(database, "Away", "Here")
    relay = Relay(outbox, deliver, places=lambda _: 1, poll_seconds=60, pausing=(AwayError,))
    monkeypatch.setattr(outages.Outages, "note", lambda self, what, error: 60.0)
    async with relay.running():
        await within_patience(receiver.has(6))
        assert len(tried) == 1
