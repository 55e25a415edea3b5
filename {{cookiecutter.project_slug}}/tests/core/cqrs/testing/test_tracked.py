"""Tracked runs, on fakes and on real databases."""

import asyncio

import pytest

from app.core.cqrs import (
    BaseEventHandler,
    CommandHandlerNotFoundError,
    ConflictError,
    CQRSBus,
    EventRecord,
    OperationStatus,
    background,
    retry_on_failure,
    transactional,
)
from app.core.cqrs.testing import MemoryBus, TrackedRun, failing_commits, lost_answers, tracked
from app.domain.user_events import UserCreated
from app.handlers.user.create_user_handler import CreateUserCommand
from app.handlers.user.get_user_handler import GetUserQuery
from tests.core.cqrs.support import (
    PATIENCE,
    Ask,
    Do,
    DoMore,
    Happened,
    HappenedToo,
    handler_of,
    raising,
    within_patience,
)
from tests.users import People, create_user


def names_sent(run: TrackedRun) -> list[tuple[str, bool, OperationStatus | None]]:
    return [(type(sent.message).__name__, sent.is_nested, sent.status) for sent in run.sent]


async def test_what_is_sent_and_how_it_ended() -> None:
    async def handle(_: Do) -> str | None:
        return (await bus.execute_query(Ask())).unwrap()

    bus = MemoryBus(handler_of(Do, handle), handler_of(Ask, lambda query: query.about or None))
    bus.register(handler_of(DoMore, raising(ConflictError("No."))))
    async with tracked(bus) as run:
        assert (await bus.execute(Do())).unwrap() == "this"
        assert (await bus.execute_command(DoMore())).is_failure
    assert names_sent(run) == [
        ("Do", False, OperationStatus.SUCCESS),
        ("Ask", True, OperationStatus.SUCCESS),
        ("DoMore", False, OperationStatus.CONFLICT),
    ]
    assert run.sent[1].result is not None
    assert run.sent[1].result.unwrap() == "this"


@pytest.mark.parametrize(
    ("error", "status"),
    [(ConflictError("No."), OperationStatus.CONFLICT), (ZeroDivisionError(), OperationStatus.FAILED)],
)
async def test_a_nested_message_that_fails_raises(error: Exception, status: OperationStatus) -> None:
    async def handle(_: Do) -> None:
        await bus.execute_command(DoMore())

    bus = MemoryBus(handler_of(Do, handle), handler_of(DoMore, raising(error)))
    async with tracked(bus) as run:
        await bus.execute_command(Do())
    assert run.sent[1].status is status
    assert run.sent[1].error is error


async def test_what_a_task_of_a_handler_sends_is_awaited_too() -> None:
    tasks: list[asyncio.Task[object]] = []

    async def handle(_: Do) -> None:
        tasks.append(asyncio.create_task(bus.execute_command(DoMore())))

    async def handle_more(_: DoMore) -> None:
        await asyncio.sleep(0)
        await bus.publish_event(Happened())

    bus = MemoryBus(handler_of(Do, handle), handler_of(DoMore, handle_more, transactional()))
    bus.register(handler_of(Happened, lambda _: asyncio.sleep(0)))
    async with tracked(bus) as run:
        await bus.execute_command(Do())
    assert tasks[0].done()
    assert [sent.is_nested for sent in run.sent] == [False, False]
    assert run.handled == {Happened: ["HappenedHandler"]}


async def test_what_nobody_handles_is_refused_as_ever() -> None:
    bus = MemoryBus()
    async with tracked(bus) as run:
        with pytest.raises(CommandHandlerNotFoundError):
            await bus.execute_command(Do())
    assert run.sent == []


async def test_what_is_published_and_who_reacted() -> None:
    async def handle(_: Do) -> None:
        await bus.publish_event(Happened())

    async def send_more(_: Happened) -> None:
        await bus.execute_command(DoMore())

    async def tell(_: DoMore) -> None:
        await bus.publish_event(HappenedToo())

    bus = MemoryBus(handler_of(Do, handle, transactional()), handler_of(DoMore, tell, transactional()))
    bus.register(handler_of(Happened, lambda _: None, in_transaction=True))
    bus.register(handler_of(Happened, send_more))
    bus.register(handler_of(HappenedToo, raising(ZeroDivisionError())))
    async with tracked(bus) as run:
        await bus.execute_command(Do())
    assert [type(event) for event in run.published] == [Happened, HappenedToo]
    assert run.recorded == bus.units.records
    assert run.handled == {Happened: ["HappenedHandler", "HappenedHandler"]}
    assert run.handled[HappenedToo] == []
    (failed,) = run.failures
    assert (failed.handler.__name__, failed.event, type(failed.error)) == (
        "HappenedTooHandler",
        run.published[1],
        ZeroDivisionError,
    )


class Instance(BaseEventHandler[Happened]):
    """Registered as it is."""

    async def _handle(self, event: Happened) -> None:
        pass


async def test_events_outside_of_a_transaction_are_stored_in_one_of_their_own() -> None:
    bus = MemoryBus(handler_of(Happened, lambda _: None))
    bus.register_event_handler(Happened, Instance())
    async with tracked(bus) as run:
        event = Happened()
        await bus.publish_event(event)
        await bus.settled()
        assert run.handled == {Happened: ["HappenedHandler", "Instance"]}
    assert run.published == [event]
    assert [record.event for record in run.recorded] == [event]


async def test_a_handler_that_has_an_event_again_counts_once() -> None:
    bus, event = MemoryBus(handler_of(Happened, lambda _: None)), Happened()
    async with tracked(bus) as run:
        for published in (event, event, Happened()):
            await bus.publish_event(published)
    assert len(run.reactions) == 3
    assert run.handled == {Happened: ["HappenedHandler", "HappenedHandler"]}


async def test_what_is_rolled_back_is_not_published() -> None:
    async def handle(_: Do) -> None:
        await bus.publish_event(Happened())

    bus = MemoryBus(handler_of(Do, handle, transactional(), retry_on_failure(max_attempts=2, delay_seconds=0)))
    async with tracked(bus) as run:
        with failing_commits(bus, times=3):
            await bus.execute_command(Do())
            assert run.published == []
            await bus.execute_command(Do())
            assert len(run.published) == 1
        with lost_answers(bus):
            await bus.execute_command(Do())
        assert len(run.published) == 2


async def test_it_is_quiet_when_all_reactions_have_run() -> None:
    begun, may_go = asyncio.Event(), asyncio.Event()
    bus = slow_bus(may_go, begun)
    async with tracked(bus) as run:
        await bus.execute_command(Do())
        await within_patience(begun.wait())
        assert run.handled == {}, "it has begun, and is waiting"
        may_go.set()
        await run.quiet()
        assert run.handled == {Happened: ["HappenedHandler"], HappenedToo: ["HappenedTooHandler"]}


async def test_leaving_waits_until_it_is_quiet() -> None:
    may_go = asyncio.Event()
    bus = slow_bus(may_go)
    async with tracked(bus) as run:
        await bus.execute_command(Do())
        may_go.set()
        assert run.handled == {}
    assert len(run.handled) == 2


async def test_what_is_committed_just_when_all_else_has_run_is_waited_for_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handle(_: Do) -> None:
        await may_commit.wait()
        await bus.publish_event(Happened())

    bus, may_commit = MemoryBus(handler_of(Do, handle, transactional())), asyncio.Event()
    bus.register(handler_of(Happened, lambda _: None))
    committed: list[EventRecord] = []
    deliver, delivered = bus.delivery.add, bus.delivery.idle

    async def look_once_and_be_too_early() -> None:
        deliver([committed.pop() for _ in committed[:]])
        await delivered()
        may_commit.set()
        await asyncio.wait([doing])

    monkeypatch.setattr(bus.delivery, "add", committed.extend)
    monkeypatch.setattr(bus.delivery, "idle", look_once_and_be_too_early)
    async with tracked(bus) as run:
        doing = asyncio.create_task(bus.execute_command(Do()))
    assert run.handled[Happened] != []


async def test_who_is_not_quiet_in_time_is_named() -> None:
    may_go = asyncio.Event()
    bus = slow_bus(may_go)
    with pytest.raises(TimeoutError) as raised:
        async with tracked(bus, timeout_seconds=0.01):
            await bus.execute_command(Do())
    assert str(raised.value) == (
        "Not quiet after 0.01 s: HappenedHandler is running for Happened; "
        "HappenedTooHandler has not begun with HappenedToo."
    )
    may_go.set()
    await within_patience(bus.settled())


async def test_a_message_that_is_not_answered_in_time_is_named() -> None:
    may_go = asyncio.Event()
    bus = MemoryBus(handler_of(Do, lambda _: may_go.wait()))
    async with tracked(bus) as run:
        task = asyncio.create_task(bus.execute_command(Do()))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError, match=r"Not quiet after 0.02 s: Do is running\."):
            await run.quiet(timeout_seconds=0.02)
        assert run.sent[0].status is None
        may_go.set()
    assert (await task).is_success


async def test_what_began_before_the_run_is_waited_for_but_unknown() -> None:
    begun, may_go = asyncio.Event(), asyncio.Event()
    bus = slow_bus(may_go, begun)
    await bus.execute_command(Do())
    await within_patience(begun.wait())
    async with tracked(bus) as run:
        with pytest.raises(TimeoutError, match="something from before the run"):
            await run.quiet(timeout_seconds=0.01)
        may_go.set()


async def test_background_work_is_waited_for_with_what_it_sends_later() -> None:
    async def later() -> None:
        await may_go.wait()
        await bus.execute_command(DoMore())

    may_go = asyncio.Event()
    bus = MemoryBus(handler_of(Do, lambda _: background(later())), handler_of(DoMore, lambda _: "done"))
    async with tracked(bus) as run:
        await bus.execute_command(Do())
        with pytest.raises(TimeoutError, match=r"Not quiet after 0.02 s: the background of Do is running\."):
            await run.quiet(timeout_seconds=0.02)
        may_go.set()
    assert [type(sent.message) for sent in run.sent] == [Do, DoMore]


async def test_an_error_in_the_block_comes_out_at_once() -> None:
    bus = slow_bus(asyncio.Event())
    await bus.execute_command(Do())
    with pytest.raises(ZeroDivisionError):
        async with tracked(bus):
            raise ZeroDivisionError


async def test_afterwards_nobody_watches() -> None:
    may_go = asyncio.Event()
    may_go.set()
    bus = slow_bus(may_go)
    await bus.execute_command(Do())
    await within_patience(bus.settled())
    bus_before, units_before = set(vars(bus)), set(vars(bus.units))
    async with tracked(bus) as run:
        await bus.execute_command(Do())
    noted = (1, 2, 2)
    assert (len(run.sent), len(run.published), len(run.reactions)) == noted, "although it was in use before"
    await bus.execute_command(Do())
    await within_patience(bus.settled())
    assert (len(run.sent), len(run.published), len(run.reactions)) == noted
    assert (set(vars(bus)), set(vars(bus.units))) == (bus_before, units_before)


async def test_a_run_on_a_real_service(bus: CQRSBus, people: People) -> None:
    async with tracked(bus, timeout_seconds=PATIENCE) as run:
        ada = await people.member()
        await ada.query(GetUserQuery(ada.id))
        with failing_commits(bus, times=2, of=CreateUserCommand):
            (await bus.execute_command(create_user())).unwrap()
    assert names_sent(run) == [
        ("CreateUserCommand", False, OperationStatus.CREATED),
        ("GetUserQuery", False, OperationStatus.SUCCESS),
        ("CreateUserCommand", False, OperationStatus.CREATED),
    ]
    registered = [record.raised.version for record in run.recorded if record.event_type == "UserCreated"]
    assert registered == [1, 1]
    assert run.handled[UserCreated].count("SendWelcomeHandler") == 2
    assert run.handled[UserCreated].count("RecordUserEventHandler") == 4, "in each transaction, also in those undone"
    assert run.failures == []


async def test_a_run_waits_for_a_command_in_the_background_and_then_for_its_reactions(bus: CQRSBus) -> None:
    async with tracked(bus, timeout_seconds=PATIENCE) as run:
        registering = asyncio.create_task(bus.execute_command(create_user()))
    assert registering.done()
    assert "SendWelcomeHandler" in run.handled[UserCreated]


def slow_bus(may_go: asyncio.Event, begun: asyncio.Event | None = None) -> MemoryBus:
    """A bus whose first reaction waits, and the second comes after it."""

    async def react(_: Happened) -> None:
        if begun is not None:
            begun.set()
        await may_go.wait()

    async def handle(_: Do) -> None:
        await bus.publish_event(Happened())
        await bus.publish_event(HappenedToo())

    bus = MemoryBus(handler_of(Do, handle, transactional()))
    bus.register(handler_of(Happened, react))
    bus.register(handler_of(HappenedToo, lambda _: None))
    return bus
