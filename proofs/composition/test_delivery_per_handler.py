"""Each handler has its events by itself: in order, in its own time, and under the name that is on record."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from sqlalchemy import update

from app.composition import delivery
from app.composition.cloud_events import encode
from app.core.broker import EventMessage
from app.core.config import Settings
from app.core.cqrs import (
    BaseEventHandler,
    CQRSBus,
    DomainEvent,
    ICommand,
    IQuery,
    PipelineBehavior,
    PolicyError,
    event_handler,
    retry_on_failure,
    transactional,
)
from app.core.cqrs.policies import deadline
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log, inbox, reactions
from app.persistence.events.purging import Choice, purge
from app.persistence.events.reaction import Outcome
from app.persistence.events.waiting_events import failed_events, replay
from support.reacting import Journal, Priced, PricedElsewhere, reaction, services, tell
from tests.composition.memory_broker import MemoryBroker, broker_of_all
from tests.core.cqrs.support import within_patience
from tests.events import claim, event_of, outbox_of
from tests.rows import rows_of

FACTORIES: dict[str, tuple[bool, ...]] = {
    "two workers": (True, True),
    "two services": (False, False),
    "four of both": (True, False, True, False),
}
ALONE = pytest.mark.parametrize("worker", [True, False], ids=["worker", "service"])


def prices(*articles: str, of: int = 4) -> list[Priced]:
    """Events of several articles, in turn."""
    return [Priced(article=article, price=price) for price, article in product(range(1, of + 1), articles)]


def held_at(article: str, price: int) -> tuple[asyncio.Event, Callable[[Any], Awaitable[None]]]:
    """A reaction that takes its time for one event: until it is let go."""
    go = asyncio.Event()

    async def take_its_time(event: Any) -> None:
        if (event.article, event.price) == (article, price):
            await go.wait()

    return go, take_its_time


# The order of an aggregate, for any number of workers


@pytest.mark.parametrize("factory", FACTORIES)
async def test_the_order_holds_for_each_handler_however_slow_the_first_is(
    settings: Settings, database: Database, factory: str
) -> None:
    journal, (go, slow) = Journal(), held_at("1", 1)
    handlers = reaction("Publish", journal, slow), reaction("Index", journal)
    async with services(settings, FACTORIES[factory], *handlers):
        await tell(database, *prices("1", "2", "3"))
        expected = [1, 2, 3, 4]
        others = [("Publish", "2"), ("Publish", "3"), ("Index", "1"), ("Index", "2"), ("Index", "3")]
        await journal.until(lambda: all(len(journal.of(*one)) == 4 for one in others))
        assert [journal.of(*one) for one in others] == [expected] * 5
        assert [done for done in journal.begun if done[:2] == ("Publish", "1")] == [("Publish", "1", 1)]
        go.set()
        await journal.until(lambda: len(journal.of("Publish")) == 4)
    assert journal.of("Publish") == expected
    assert sorted(journal.done) == sorted(set(journal.done)), "each has had each once"


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    return broker_of_all(monkeypatch)


@pytest.mark.parametrize("arriving", [(2, 1, 3), (3, 2, 1), (2, 3, 1)])
async def test_what_others_tell_is_in_order_at_two_consumers(
    settings: Settings, broker: MemoryBroker, arriving: tuple[int, ...]
) -> None:
    journal, (go, slow) = Journal(), held_at("1", 1)
    handlers = (
        reaction("Publish", journal, slow, event=PricedElsewhere),
        reaction("Index", journal, event=PricedElsewhere),
    )
    async with services(settings, (True, False), *handlers):
        for price in arriving:
            event = event_of("1", price, event_type="PricedElsewhere", payload={"price": price})
            body = encode(event, "others", price - 1 or None)
            await broker.publish(EventMessage(str(price), "Article:1", "PricedElsewhere", body))
        await journal.until(lambda: len(journal.of("Index")) == 3)
        assert [price for by, _, price in journal.begun if by == "Publish"] == [1]
        go.set()
        await journal.until(lambda: len(journal.of("Publish")) == 3)
    assert (journal.of("Publish"), journal.of("Index")) == ([1, 2, 3], [1, 2, 3])


@pytest.mark.parametrize("returns", ["never", "done", "failed"])
async def test_the_order_holds_after_a_process_was_missed(settings: Settings, database: Database, returns: str) -> None:
    journal, (go, slow) = Journal(), held_at("1", 1)
    missed = outbox_of(database, "Publish", events=("Priced",))
    await tell(database, *prices("1"))
    (claimed,) = await claim(missed, "Publish")
    async with database.writing() as session, session.begin():
        lease = update(reactions).where(reactions.c.claimed_by.is_not(None))
        await session.execute(lease.values(due_at=datetime(2020, 1, 1, tzinfo=UTC)))
    async with services(settings, (True, True), reaction("Publish", journal, slow)):
        await journal.until(lambda: bool(journal.begun))
        if returns != "never":
            await missed.turn([Outcome(claimed, None if returns == "done" else ValueError("late"))], {})
        assert len(journal.begun) == 1, "what the late one says does not let the next begin"
        go.set()
        await journal.until(lambda: len(journal.of("Publish")) == 4)
    assert journal.of("Publish") == [1, 2, 3, 4] == [price for _, _, price in journal.begun]


# A slow reaction


@ALONE
@pytest.mark.parametrize("held_up", ["another aggregate", "another handler", "later events"])
async def test_a_slow_reaction_holds_up_nobody_else(
    settings: Settings, database: Database, held_up: str, worker: bool
) -> None:
    journal, (go, slow) = Journal(), held_at("1", 1)
    async with services(settings, (worker,), reaction("Slow", journal, slow), reaction("Quick", journal)):
        if held_up == "another aggregate":
            await tell(database, Priced(article="1", price=1), *prices("2", of=2))
            await journal.until(lambda: journal.of("Slow", "2") == [1, 2])
        elif held_up == "another handler":
            await tell(database, *prices("1", of=2))
            await journal.until(lambda: journal.of("Quick") == [1, 2])
        else:
            await tell(database, Priced(article="1", price=1))
            await journal.until(lambda: ("Slow", "1", 1) in journal.begun)
            await tell(database, *prices("2"), Priced(article="1", price=2))
            await journal.until(lambda: (journal.of("Slow", "2"), journal.of("Quick")) == ([1, 2, 3, 4], [1, 2]))
        assert journal.of("Slow") == []
        go.set()
        await journal.until(lambda: bool(journal.of("Slow")))


async def test_a_handler_without_a_free_place_holds_up_no_other(settings: Settings, database: Database) -> None:
    journal, go = Journal(), asyncio.Event()

    async def wait(event: Priced) -> None:
        await go.wait()

    articles = "1234567"
    async with services(settings, (True,), reaction("Slow", journal, wait), reaction("Quick", journal)):
        await tell(database, *prices(*articles, of=2))
        await journal.until(lambda: all(journal.of("Quick", one) == [1, 2] for one in articles))
        await journal.until(lambda: sum(by == "Slow" for by, _, _ in journal.begun) >= delivery.REACTIONS_AT_ONCE)
        assert sum(by == "Slow" for by, _, _ in journal.begun) == delivery.REACTIONS_AT_ONCE
        go.set()
        await journal.until(lambda: all(journal.of("Slow", one) == [1, 2] for one in articles))


# A reaction that fails for ever


class Broken:
    """Fails at some events, until it is repaired."""

    def __init__(self, error: BaseException, *prices: int) -> None:
        self.error = error
        self.prices = prices

    async def __call__(self, event: Priced) -> None:
        if event.price in self.prices:
            raise self.error

    def repaired(self) -> None:
        self.prices = ()


async def dead_in(database: Database) -> list[tuple[str, int | None]]:
    """What waits for an operator: a handler, and the version of an event."""
    return [(one.handler, one.version) for one in await failed_events(database, dead_only=True, limit=100)]


async def until_dead(database: Database, *expected: tuple[str, int]) -> None:
    async with asyncio.timeout(20):
        while sorted(await dead_in(database)) != sorted(expected):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


ERRORS = {
    "at the first": (Broken(ConnectionError("The receiver is away."), 1), 1),
    "at the second": (Broken(ValueError("No such article."), 2), 2),
    "in parts": (Broken(ExceptionGroup("several", [ValueError("a"), ConnectionError("b")]), 3), 3),
}


@ALONE
@pytest.mark.parametrize("case", ERRORS)
async def test_one_that_fails_for_ever_parks_by_itself(
    settings: Settings, database: Database, case: str, worker: bool
) -> None:
    given, at = ERRORS[case]
    journal, broken = Journal(), Broken(given.error, *given.prices)
    handlers = reaction("Index", journal), reaction("Call", journal, broken), reaction("Mail", journal)
    async with services(settings, (worker,), *handlers) as (service,):
        await tell(database, *prices("1"))
        await journal.until(lambda: len(journal.of("Index")) == len(journal.of("Mail")) == 4)
        await until_dead(database, ("Call", at))
        assert journal.of("Call") == list(range(1, at))
        await within_patience(service.bus.settled())
        waiting = [(row.handler, row.version, row.dead) for row in await rows_of(service, reactions)]
        assert sorted(waiting, key=lambda one: one[1]) == [("Call", version, version == at) for version in range(at, 5)]
        await tell(database, Priced(price=5))
        await journal.until(lambda: journal.of("Index")[-1] == journal.of("Mail")[-1] == 5)
        broken.repaired()
        assert (await replay(database, None, "Call")).total() == 1
        await journal.until(lambda: journal.of("Call") == [1, 2, 3, 4, 5])
        assert journal.of("Index") == journal.of("Mail") == [1, 2, 3, 4, 5], "nobody has had one twice"


@pytest.mark.parametrize("remedy", ["replay", "purge the dead", "purge all of it"])
async def test_what_is_done_for_one_handler_leaves_the_others(
    settings: Settings, database: Database, remedy: str
) -> None:
    journal = Journal()
    call, mail = Broken(ConnectionError("away"), 1), Broken(ConnectionError("away"), 1)
    async with services(settings, (True,), reaction("Call", journal, call), reaction("Mail", journal, mail)) as (one,):
        await tell(database, *prices("1", of=3))
        await until_dead(database, ("Call", 1), ("Mail", 1))
        call.repaired()
        (dead,) = {row.event_id for row in await rows_of(one, reactions) if row.dead}
        if remedy == "replay":
            assert (await replay(database, [dead], "Call")).total() == 1
            await journal.until(lambda: journal.of("Call") == [1, 2, 3])
        elif remedy == "purge the dead":
            assert await purge(database, Choice([dead], "Call")) == 1
            await journal.until(lambda: journal.of("Call") == [2, 3])
        else:
            assert await purge(database, Choice(handler="Call")) == 3
        await within_patience(one.bus.settled())
        assert {(row.handler, row.version) for row in await rows_of(one, reactions)} == {("Mail", v) for v in (1, 2, 3)}
        assert await dead_in(database) == [("Mail", 1)]
        mail.repaired()
        await replay(database, None)
        await journal.until(lambda: journal.of("Mail") == [1, 2, 3])
        assert journal.of("Call") == {"replay": [1, 2, 3], "purge the dead": [2, 3]}.get(remedy, [])


# How long a reaction may take, and what it is called


POLICIES: dict[str, tuple[Any, ...]] = {
    "alone": (),
    "in a transaction": (transactional(),),
    "with attempts": (retry_on_failure(max_attempts=3, delay_seconds=0.0),),
}


@pytest.mark.parametrize("policies", POLICIES)
async def test_a_reaction_has_the_time_that_its_handler_says(
    settings: Settings, database: Database, policies: str
) -> None:
    journal = Journal()

    async def hang(event: Priced) -> None:
        await asyncio.Event().wait()

    hanging = reaction("Hang", journal, hang, *POLICIES[policies], timeout_seconds=0.125)
    async with services(settings, (True,), hanging, reaction("Index", journal)):
        await tell(database, Priced(price=1))
        await until_dead(database, ("Hang", 1))
        (failed,) = await failed_events(database, dead_only=True, limit=10)
        assert failed.last_error == (
            "HandlerTimeoutError: Hang did not handle the event within 0.125 s: make it faster, or give it more time "
            "by @event_handler(..., timeout_seconds=...)."
        )
        await journal.until(lambda: journal.of("Index") == [1])


async def test_without_a_number_there_is_no_limit(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, limits = Journal(), {}
    limited = deadline._limited

    async def noting(work: Any, awaited: Any, remaining: float, plan: Any) -> Any:
        limits[plan.name_on_record] = remaining
        return await limited(work, awaited, remaining, plan)

    async def suspend(event: Priced) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(deadline, "_limited", noting)
    handlers = (
        reaction("Usual", journal, suspend),
        reaction("Long", journal, suspend, timeout_seconds=3600),
        reaction("Unlimited", journal, suspend, timeout_seconds=None),
    )
    async with services(settings, (True,), *handlers):
        await tell(database, Priced(price=1))
        await journal.until(lambda: len(journal.done) == 3)
    assert limits == pytest.approx({"Usual": 30, "Long": 3600}, abs=10)


RENAMED: dict[str, tuple[tuple[str, str | None], tuple[str, str | None], bool]] = {
    "with its old name": (("SendMail", None), ("SendLetter", "SendMail"), False),
    "again, with the name that it was given": (("SendLetter", "SendMail"), ("Send", "SendMail"), False),
    "with a name from the beginning": (("SendMail", "mail"), ("SendLetter", "mail"), False),
    "without a name": (("SendMail", None), ("SendLetter", None), True),
}


@pytest.mark.parametrize("case", RENAMED)
async def test_what_a_renamed_class_has_had_goes_by_its_name(settings: Settings, database: Database, case: str) -> None:
    (before, known), (after, named), runs = RENAMED[case]
    journal = Journal()
    async with services(settings, (True,), reaction(before, journal, name=known)) as (service,):
        await tell(database, Priced(price=1))
        await within_patience(service.bus.settled())
        assert [row.handler for row in await rows_of(service, inbox)] == [known or before]
    async with services(settings, (True,), reaction(after, journal, name=named)) as (service,):
        async with database.writing() as session, session.begin():
            await session.execute(update(event_log).values(published_at=None))
        await within_patience(service.bus.settled())
        await tell(database, Priced(price=2))
        await journal.until(lambda: 2 in journal.of(after))
        assert journal.of(after) == ([1, 2] if runs else [2])
        assert {row.handler for row in await rows_of(service, inbox)} == {known or before, named or after}


async def test_what_waits_goes_by_the_name_too(settings: Settings, database: Database) -> None:
    journal, broken = Journal(), Broken(ConnectionError("away"), 1)
    async with services(settings, (True,), reaction("SendMail", journal, broken)):
        await tell(database, *prices("1", of=2))
        await until_dead(database, ("SendMail", 1))
    async with services(settings, (False,), reaction("SendLetter", journal, name="SendMail")):
        assert (await replay(database, None, "SendMail")).total() == 1
        await journal.until(lambda: journal.of("SendLetter") == [1, 2])


# What would never happen is refused


def test_a_name_in_the_transaction_is_refused() -> None:
    with pytest.raises(PolicyError, match="Look has a name and runs in the transaction of Priced.*leave name out"):
        CQRSBus().register_event_handler(Priced, reaction("Look", Journal(), name="look", in_transaction=True))


async def test_two_of_one_name_both_run_in_the_transaction(settings: Settings) -> None:
    journal = Journal()

    class Look(BaseEventHandler[Priced]):
        async def _handle(self, event: Priced) -> None:
            journal.note("the other", event, done=True)

    declared: Any = event_handler(Priced, in_transaction=True)
    other = reaction("Look", journal, in_transaction=True)
    Look.__module__ = "elsewhere"
    async with services(settings, (True,), other, declared(Look)()) as (service,):
        await service.bus.publish_event(Priced(price=1))
    assert sorted(by for by, _, _ in journal.done) == ["Look", "the other"]


class Unfound:
    """Keeps an event from being found in this module."""

    class Told(DomainEvent):
        """In no module that a service looks at."""

    class ToldMore(Told):
        """Neither."""

    class Foreign(DomainEvent):
        """Nor is this."""

        event_source = "others"
        event_type = "Foreign"


@pytest.mark.parametrize("event", [Unfound.Told, Unfound.ToldMore, Unfound.Foreign])
async def test_a_handler_of_what_is_never_delivered_is_refused(settings: Settings, event: type[DomainEvent]) -> None:
    handler = reaction("Hear", Journal(), event=event)
    async with services(settings, (False,)) as (service,):
        with pytest.raises(
            PolicyError, match=rf"Hear would never receive an event: .*{event.__name__} is in no module"
        ):
            service.bus.register_event_handler(event, handler)
        service.bus.register_event_handler(DomainEvent, reaction("HearAll", Journal(), event=DomainEvent))
        inside = reaction("HearInside", Journal(), event=event, in_transaction=True)
        if event is not Unfound.Foreign:
            service.bus.register_event_handler(event, inside)
    bus = CQRSBus()
    bus.register_event_handler(event, handler)
    with pytest.raises(PolicyError, match="Hear would never receive an event"):
        bus.complete([Priced])
    bus.complete()


class ForAll(PipelineBehavior[Any]):
    async def handle(self, message: Any, next_handler: Any) -> Any:
        return await next_handler()


class ForCommands(PipelineBehavior[ICommand[Any]]):
    async def handle(self, message: Any, next_handler: Any) -> Any:
        return await next_handler()


class ForQueries(PipelineBehavior[IQuery[Any]]):
    async def handle(self, message: Any, next_handler: Any) -> Any:
        return await next_handler()


async def around(operation: Any, next_handler: Any) -> Any:
    return await next_handler()


@pytest.mark.parametrize("middleware", [ForAll, ForCommands, ForQueries, ForAll(), around])
def test_what_is_for_all_there_may_be_is_no_idle_middleware(middleware: Any) -> None:
    bus = CQRSBus()
    bus.register_event_handler(Priced, reaction("Index", Journal()))
    bus.add_middleware(middleware)
    bus.complete()
