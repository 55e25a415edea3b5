"""What waits for which handler, who gets it, and what becomes of it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
import structlog
from sqlalchemy import update

from app.core.config import Settings
from app.core.cqrs import OperationMetadata, ServiceUnavailableError, TransientError
from app.core.event_types import UnreadableEventError
from app.core.ids import uuid7
from app.persistence.engine.database import Database
from app.persistence.engine.errors import LostConnectionError
from app.persistence.event_tables import reactions, received_events
from app.persistence.events import new_events, outbox_statistics, reaction
from app.persistence.events.fan_out import GRACE_SECONDS
from app.persistence.events.orphans import without_class, without_handlers
from app.persistence.events.outbox import LEASE_SECONDS, Outbox
from app.persistence.events.outbox_statements import LOCK, NO_LOCK, OWN, SHARED_LOCK, SKIPPED, UNREADABLE, writing
from app.persistence.events.reaction import Claimed, Outcome
from tests.core.cqrs.support import within_patience
from tests.databases import until_held_up
from tests.events import (
    HANDLER,
    MOST_ATTEMPTS,
    OTHERS,
    claim,
    event_of,
    let_wait,
    outbox_of,
    reaction_of,
    row_of,
    shared_clock_ahead,
    store,
)


def versions(claimed: list[Claimed]) -> list[tuple[str | None, int | None]]:
    """Of which aggregates events were claimed, and which."""
    return sorted((one.event.aggregate_id, one.event.version) for one in claimed)


async def end_leases(database: Database) -> None:
    """As if all who have claimed something had been gone for a while."""
    async with database.writing() as session, session.begin():
        held = update(reactions).where(reactions.c.claimed_by.is_not(None))
        await session.execute(held.values(due_at=datetime.now(UTC) - timedelta(seconds=1)))


async def attempt(database: Database, attempts: int, error: Exception, **options: Any) -> UUID:
    """Let an event fail at its handler, after so many failures before."""
    event = event_of("a", 1, metadata={"operation_id": "o1"})
    await let_wait(database, event, ValueError("before") if attempts else None, dead=False, attempts=attempts)
    outbox = outbox_of(database, **options)
    (claimed,) = await claim(outbox)
    assert claimed.attempts == attempts
    await outbox.turn([Outcome(claimed, error)], {})
    return event.id


@pytest.mark.parametrize("databases", [pytest.param("postgresql", marks=pytest.mark.integration)], indirect=True)
@pytest.mark.parametrize("begin", [LOCK, SHARED_LOCK])
async def test_a_lock_that_is_long_in_coming_takes_nothing_off_a_lease(
    settings: Settings, database: Database, begin: Any
) -> None:
    async def enter() -> datetime:
        async with writing(database, begin) as (_, now):
            return now

    async with database.relaying_engine.connect() as holding:
        await holding.execute(LOCK)
        entering = asyncio.create_task(enter())
        await until_held_up(settings)
        waits_since = released_at = (await holding.execute(NO_LOCK)).scalar_one()
        while released_at - waits_since < timedelta(seconds=0.2):
            released_at = (await holding.execute(NO_LOCK)).scalar_one()
        await holding.commit()
        # The clocks of two connections may differ by a few milliseconds where cores of a machine have their own.
        assert await within_patience(entering) > released_at - timedelta(seconds=0.1)


async def test_each_handler_gets_the_first_event_of_each_aggregate_and_nobody_else_does(database: Database) -> None:
    await store(database, event_of("a", 2), event_of("b", 1), event_of("a", 1))
    outbox, others = outbox_of(database, "One", "Two"), outbox_of(database, "One", "Two")
    claimed = await claim(outbox, "One", "Two")
    assert versions([one for one in claimed if one.handler == "One"]) == [("a", 1), ("b", 1)]
    assert versions([one for one in claimed if one.handler == "Two"]) == [("a", 1), ("b", 1)]
    assert await claim(others, "One", "Two") == []


async def test_what_is_done_at_one_handler_lets_the_next_event_go_there_alone(database: Database) -> None:
    await store(database, event_of("a", 1), event_of("a", 2))
    outbox = outbox_of(database, "One", "Two")
    claimed = await claim(outbox, "One", "Two")
    (done,) = (one for one in claimed if one.handler == "One")
    (following,) = await outbox.turn([Outcome(done)], {"One": 9, "Two": 9})
    assert (following.handler, following.event.version) == ("One", 2)
    assert await reaction_of(database, done.event.id, "One") is None
    assert await reaction_of(database, done.event.id, "Two") is not None


async def test_a_handler_gets_as_much_as_it_may_have_the_oldest_first(database: Database) -> None:
    ids = await store(database, *(event_of(str(number), 1) for number in range(5)))
    outbox = outbox_of(database, "One", "Two")
    while await outbox.hand_out():
        pass
    claimed = await outbox.turn([], {"One": 2, "Two": 0})
    assert [(one.handler, one.event.id) for one in claimed] == [("One", ids[0]), ("One", ids[1])]


async def test_more_events_than_are_handed_out_at_once_keep_their_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_events, "HANDED_OUT_AT_ONCE", 3)
    await store(database, *(event_of("a", version) for version in (5, 4, 3, 2, 1)))  # as with clocks that are apart
    outbox = outbox_of(database)
    seen: list[int | None] = []
    outcomes: list[Outcome] = []
    for _ in range(5):
        while await outbox.hand_out():
            pass
        (claimed,) = await outbox.turn(outcomes, {HANDLER: 9})
        seen.append(claimed.event.version)
        outcomes = [Outcome(claimed)]
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("at_once", [5, 500])
async def test_events_keep_their_order_however_their_ids_are_ordered(
    database: Database, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(new_events, "HANDED_OUT_AT_ONCE", at_once)
    for number, order in enumerate(permutations(range(4))):  # as with clocks that are apart
        ids = [uuid7() for _ in order]
        kinds = ("Opened", "Happened", "Happened", "Happened")
        aggregate = str(number)
        stored = [event_of(aggregate, n + 1, id=ids[order[n]], event_type=kinds[n]) for n in range(4)]
        await store(database, *stored)
    known = {(OWN, "Opened"): (), (OWN, "Happened"): (HANDLER,)}
    outbox = Outbox(database, lambda: known, max_attempts=1, retry_seconds=1)
    seen: defaultdict[str | None, list[int | None]] = defaultdict(list)
    more, claimed = True, list[Claimed]()
    while more or claimed:
        more = await outbox.hand_out()
        claimed = await outbox.turn([Outcome(one) for one in claimed], {HANDLER: 999})
        for one in claimed:
            seen[one.event.aggregate_id].append(one.event.version)
    assert list(seen.values()) == [[2, 3, 4]] * 24


async def test_what_comes_while_its_aggregate_is_worked_on_waits_behind(database: Database) -> None:
    await store(database, event_of("a", 1))
    outbox, other = outbox_of(database), outbox_of(database)
    (first,) = await claim(outbox)
    await store(database, event_of("a", 2), event_of("b", 1))
    assert versions(await claim(other)) == [("b", 1)]
    await outbox.turn([Outcome(first)], {})
    assert versions(await claim(other)) == [("a", 2)]


async def test_events_of_a_class_that_only_others_know_are_left_to_them_with_what_follows(database: Database) -> None:
    newer = event_of("a", 2, event_type="CameLater")
    await store(database, event_of("a", 1), newer, event_of("a", 3), event_of("b", 1))
    outbox, of_newer_release = outbox_of(database), outbox_of(database, events=("Happened", "CameLater"))
    claimed = await claim(outbox)
    assert versions(claimed) == [("a", 1), ("b", 1)]
    assert versions(await outbox.turn([Outcome(one) for one in claimed], {HANDLER: 9})) == []
    assert (await row_of(database, newer.id)).published_at is None
    assert versions(await claim(of_newer_release)) == [("a", 2)]


async def test_more_events_behind_a_class_that_only_others_know_than_are_looked_at_do_not_hide_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_events, "HANDED_OUT_AT_ONCE", 3)
    for aggregate in ("a", "b"):
        await store(database, event_of(aggregate, 1, event_type="CameLater"))
        await store(database, *(event_of(aggregate, version) for version in (2, 3, 4)))
    await store(database, event_of("c", 2), event_of("c", 1), event_of(None))
    claimed = await claim(outbox_of(database))
    assert {(one.event.aggregate_id, one.event.version) for one in claimed} == {("c", 1), (None, None)}


async def test_an_event_without_handlers_is_done(database: Database) -> None:
    (event_id,) = await store(database, event_of("a", 1, event_type="Unheard"))
    handlers: dict[tuple[str, str], tuple[str, ...]] = {}
    outbox = Outbox(database, lambda: dict(handlers), max_attempts=1, retry_seconds=1)
    assert await claim(outbox) == []
    assert (await row_of(database, event_id)).published_at is None, "another process may know it"
    handlers["", "Unheard"] = ()
    assert await claim(outbox) == []
    assert (await row_of(database, event_id)).published_at is not None


async def test_who_is_gone_is_missed_after_a_while_and_cannot_store_anything_then(database: Database) -> None:
    await store(database, event_of("a", 1), event_of("a", 2))
    gone, other = outbox_of(database), outbox_of(database)
    (lost,) = await claim(gone)
    await end_leases(database)
    (found,) = await claim(other)
    assert found.event == lost.event
    await gone.turn([Outcome(lost)], {HANDLER: 9})
    await gone.turn([Outcome(lost, ValueError("too late"))], {})
    await gone.turn([Outcome(lost, is_given_back=True)], {})
    row = await reaction_of(database, found.event.id)
    assert row is not None
    assert (row.attempts, row.last_error, row.claimed_by is None) == (0, None, False)
    assert versions(await other.turn([Outcome(found)], {HANDLER: 9})) == [("a", 2)]


async def test_a_lease_is_renewed_and_given_back(database: Database) -> None:
    (event_id,) = await store(database, event_of("a", 1))
    outbox, other = outbox_of(database), outbox_of(database)
    assert len(await claim(outbox)) == 1
    await end_leases(database)
    await outbox.renew()
    row = await reaction_of(database, event_id)
    assert row is not None
    assert row.due_at > datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS / 2)
    assert await claim(other) == []
    await outbox.give_back()
    assert len(await claim(other)) == 1


async def test_what_is_given_back_is_nobodys_failure(database: Database) -> None:
    await store(database, event_of("a", 1))
    outbox = outbox_of(database)
    (claimed,) = await claim(outbox)
    (again,) = await outbox.turn([Outcome(claimed, is_given_back=True)], {HANDLER: 9})
    assert (again.event, again.attempts) == (claimed.event, 0)


async def hand_out_the_first(outbox: Outbox, claimed: Claimed) -> None:
    await outbox.turn([Outcome(claimed)], {})
    while await outbox.hand_out():
        pass


async def end_the_first(outbox: Outbox, claimed: Claimed) -> None:
    while await outbox.hand_out():
        pass
    await outbox.turn([Outcome(claimed)], {})


async def give_back_one(outbox: Outbox, claimed: Claimed) -> None:
    await outbox.turn([Outcome(claimed, is_given_back=True)], {})


async def give_back_all(outbox: Outbox, claimed: Claimed) -> None:
    await outbox.give_back()


@pytest.mark.parametrize("become_due", [hand_out_the_first, end_the_first, give_back_one, give_back_all])
async def test_what_is_due_at_once_stays_so_when_the_clock_is_set_back(
    database: Database, monkeypatch: pytest.MonkeyPatch, become_due: Callable[[Outbox, Claimed], Awaitable[None]]
) -> None:
    """NTP corrects clocks, and another server of the database has another one."""
    outbox = outbox_of(database)
    await store(database, event_of("a", 1))
    (claimed,) = await claim(outbox)
    await store(database, event_of("a", 2))
    with shared_clock_ahead(monkeypatch):
        await become_due(outbox, claimed)
    assert len(await outbox.turn([], {HANDLER: 9})) == 1


async def test_a_stream_whose_first_event_is_not_due_waits_as_a_whole(database: Database) -> None:
    first, second = event_of("a", 1), event_of("a", 2)
    await store(database, first, second)
    outbox = outbox_of(database, retry_seconds=100)
    (claimed,) = await claim(outbox)
    assert await outbox.turn([Outcome(claimed, ValueError("no"))], {HANDLER: 9}) == []
    row = await reaction_of(database, first.id)
    assert row is not None
    assert timedelta(seconds=45) < row.due_at - datetime.now(UTC) < timedelta(seconds=100)


@pytest.mark.parametrize(("attempts", "longest"), [(0, 2.0), (1, 4.0), (4, 32.0), (20, 300.0), (5000, 300.0)])
async def test_waits_get_longer_up_to_a_bound(database: Database, attempts: int, longest: float) -> None:
    before = datetime.now(UTC)
    event_id = await attempt(database, attempts, ValueError("no"), max_attempts=10_000, retry_seconds=2.0)
    after, row = datetime.now(UTC), await reaction_of(database, event_id)
    assert row is not None
    assert before + timedelta(seconds=longest / 2) <= row.due_at <= after + timedelta(seconds=longest)


async def test_the_last_attempt_makes_it_dead_for_this_handler(database: Database) -> None:
    error = ExceptionGroup("2", [ValueError("x"), KeyError("y")])
    event_id = await attempt(database, MOST_ATTEMPTS - 1, error)
    row = await reaction_of(database, event_id)
    assert row is not None
    assert (row.dead, row.attempts, row.last_error) == (True, MOST_ATTEMPTS, "ValueError: x; KeyError: 'y'")
    await store(database, event_of("a", 2))
    assert await claim(outbox_of(database)) == [], "what comes later waits behind it"
    assert versions(await claim(outbox_of(database, "Other"), "Other")) == []
    await store(database, event_of("a", 3))
    assert versions(await claim(outbox_of(database, "Other"), "Other")) == [("a", 3)]


@pytest.mark.parametrize(
    ("error", "dead"),
    [
        (TransientError("away"), False),
        (ExceptionGroup("2", [TransientError("away"), LostConnectionError("lost")]), False),
        (ExceptionGroup("2", [TransientError("away"), ValueError("a bug")]), True),
        (ServiceUnavailableError("for good"), True),
    ],
    ids=repr,
)
async def test_what_an_outage_keeps_from_being_done_does_not_die_of_it(
    database: Database, error: Exception, dead: bool
) -> None:
    with structlog.testing.capture_logs() as logs:
        event_id = await attempt(database, 10 * MOST_ATTEMPTS, error)
    row = await reaction_of(database, event_id)
    assert row is not None
    assert (row.dead, row.attempts) == (dead, 10 * MOST_ATTEMPTS + 1)
    assert [line["event"] for line in logs if line["event"] == "event_dead"] == ["event_dead"] * dead


async def test_an_error_that_cannot_be_printed_stops_nobody(database: Database) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError

    row = await reaction_of(database, await attempt(database, 0, ExceptionGroup("1", [Broken()])))
    assert row is not None
    assert row.last_error == "Broken, which cannot be printed"


@pytest.mark.parametrize("attempts", [0, MOST_ATTEMPTS - 1])
async def test_what_this_release_cannot_read_is_tried_again_because_another_may(
    database: Database, attempts: int
) -> None:
    row = await reaction_of(database, await attempt(database, attempts, UnreadableEventError("No class reads it.")))
    assert row is not None
    assert row.dead is (attempts > 0)


class Noted:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.reported: list[tuple[str, str, str]] = []

    def report(self, error: BaseException, name: str, metadata: OperationMetadata) -> None:
        self.reported.append((str(error), name, metadata.operation_id))


@pytest.mark.parametrize(("attempts", "is_dead"), [(MOST_ATTEMPTS - 1, True), (MOST_ATTEMPTS - 2, False)])
async def test_what_is_dead_is_reported(database: Database, attempts: int, is_dead: bool) -> None:
    noted = Noted()
    await attempt(database, attempts, ValueError("no"), reports=noted)
    assert noted.reported == ([("no", "Happened", "o1")] if is_dead else [])


async def test_a_reason_is_not_longer_than_somebody_reads() -> None:
    assert len(reaction.reason(ValueError("x" * 10_000))) == reaction.LONGEST_REASON


async def test_a_reason_that_no_database_takes_is_stored_as_far_as_it_can_be(database: Database) -> None:
    row = await reaction_of(database, await attempt(database, 0, ValueError("nul \x00, half a letter \ud800")))
    assert row is not None
    assert row.last_error == "ValueError: nul ?, half a letter ?"


async def test_the_public_event_before_it_is_told(database: Database) -> None:
    await store(database, event_of("a", 1), event_of("a", 2, event_type="Private"), event_of("a", 3))
    outbox = outbox_of(database, events=("Happened", "Private"), public=["Happened"])
    seen: list[tuple[int | None, int | None]] = []
    outcomes: list[Outcome] = []
    for _ in range(3):
        while await outbox.hand_out():
            pass
        (claimed,) = await outbox.turn(outcomes, {HANDLER: 9})
        seen.append((claimed.event.version, claimed.previous))
        outcomes = [Outcome(claimed)]
    assert seen == [(1, None), (2, 1), (3, 1)]


async def receive(database: Database, *numbers: int, age_seconds: float = 0.0) -> None:
    """Events of another service that arrive; each follows the one before it."""
    received_at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    async with database.writing() as session, session.begin():
        for number in numbers:
            row = event_of("a", number, id=uuid7()).row()
            told = {"source": OTHERS, "previous": number - 1 or None, "received_at": received_at}
            await session.execute(received_events.insert(), row | told)


async def handled(database: Database) -> list[int | None]:
    """The versions that a handler gets one after the other."""
    outbox = outbox_of(database)
    seen: list[int | None] = []
    claimed = await claim(outbox)
    while claimed:
        assert [one.source for one in claimed] == [OTHERS]
        seen += [one.event.version for one in claimed]
        claimed = await outbox.turn([Outcome(one) for one in claimed], {HANDLER: 9})
    return seen


async def test_events_of_others_are_handled_in_their_order_however_they_arrive(database: Database) -> None:
    await receive(database, 4, 2)
    assert await handled(database) == [], "the first did not come yet"
    await receive(database, 1)
    assert await handled(database) == [1, 2]
    await receive(database, 3)
    assert await handled(database) == [3, 4]


async def test_events_that_wait_for_others_take_no_place_of_those_that_are_ready(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_events, "HANDED_OUT_AT_ONCE", 3)
    await receive(database, 12, 13, 14, 15)
    await receive(database, 1)
    assert await handled(database) == [1]


@pytest.mark.parametrize("source", [OWN, OTHERS])
async def test_events_that_follow_each_other_are_handed_out_together(database: Database, source: str) -> None:
    if source == OWN:
        await store(database, *(event_of("a", version) for version in (3, 2, 1)))
    else:
        await receive(database, 3, 2, 1)
    outbox = outbox_of(database)
    assert await outbox.hand_out()
    assert not await outbox.hand_out()


async def test_an_event_that_never_came_is_not_waited_for_for_ever(database: Database) -> None:
    await receive(database, 2, 3, age_seconds=GRACE_SECONDS - 30)
    assert await handled(database) == []
    await receive(database, 7, 8, age_seconds=GRACE_SECONDS + 1)
    assert await handled(database) == [7, 8]


async def test_an_event_of_others_that_failed_keeps_those_behind_it(database: Database) -> None:
    await receive(database, 1)
    outbox = outbox_of(database, retry_seconds=100)
    (first,) = await claim(outbox)
    await outbox.turn([Outcome(first, ValueError("no"))], {})
    await receive(database, 2)
    assert await claim(outbox) == []


async def test_an_event_of_ours_and_one_of_others_are_of_different_aggregates(database: Database) -> None:
    await receive(database, 1, 2)
    await store(database, event_of("a", 1))
    outbox = outbox_of(database)
    ours, of_others = sorted(await claim(outbox), key=lambda one: one.source)
    assert (ours.source, of_others.source) == ("", OTHERS)
    (following,) = await outbox.turn([Outcome(of_others)], {HANDLER: 9})
    assert (following.source, following.event.version) == (OTHERS, 2)


async def test_what_waits_for_a_handler_that_is_gone_or_does_not_react_is_counted(database: Database) -> None:
    await let_wait(database, event_of("a", 1), handler="Gone")
    await let_wait(database, event_of("b", 1))
    await let_wait(database, event_of("c", 1, event_type="Opened"))
    await let_wait(database, event_of("d", 1), handler=UNREADABLE)
    handlers = {(OWN, "Happened"): (HANDLER,), (OWN, "Opened"): ("Other",)}
    assert await without_handlers(database, handlers) == {"Gone": {"Happened": 1}, HANDLER: {"Opened": 1}}


async def test_what_nobody_handles_is_counted_up_to_a_limit_for_each_handler(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_statistics, "LOOKED_AT", 2)
    for number in "123":
        event = await let_wait(database, event_of(number, 1), handler="Gone")
        await let_wait(database, event, handler="Renamed")
        await store(database, event_of(number, 2, event_type="Gone"))
    assert await without_handlers(database, {}) == {"Gone": {"Happened": 2}, "Renamed": {"Happened": 2}}
    assert await without_class(database, [(OWN, "Happened")]) == {"Gone": 2}


async def test_what_has_no_class_is_counted(database: Database) -> None:
    await store(database, event_of("a", 1), event_of("a", 2, event_type="Gone"), event_of("b", 1, event_type="Gone"))
    await store(database, event_of("a", 1), event_of("a", 2, event_type=SKIPPED), table=received_events)
    assert await without_class(database, [(OWN, "Happened")]) == {"Gone": 2, f"Happened of {OTHERS}": 1}
