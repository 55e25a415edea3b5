import asyncio
from collections.abc import Collection, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from app.core.cqrs import (
    BusinessRuleViolationError,
    ConflictError,
    CQRSBus,
    ICommand,
    OperationStatus,
    PolicyError,
    TransientError,
    attempt,
    invalidates,
    mark_stale,
    retry_on_failure,
    savepoint,
    transactional,
)
from app.core.cqrs.testing import FixedClock, MemoryBus, MemoryCache
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, forever, handler_of, raising, within_patience


class Notes(MemoryCache):
    """A cache that notes what was dropped, and when."""

    def __init__(self, journal: list[str]) -> None:
        super().__init__(FixedClock())
        self.journal = journal

    async def invalidate(self, tags: Collection[str]) -> None:
        self.journal.append("drop " + " ".join(sorted(tags)))


def bus_with(*handlers: Any) -> MemoryBus:
    bus = MemoryBus()
    bus.cache = Notes(bus.units.journal)
    CQRSBus.__init__(bus, scope=bus.scope, unit_of_work=bus.units, cache=bus.cache)
    for handler in handlers:
        bus.register(handler)
    return bus


async def test_tags_are_dropped_after_the_commit() -> None:
    bus = bus_with(handler_of(Do, lambda _: "done", transactional(), invalidates("users", "roles")))
    await bus.execute_command(Do())
    assert bus.units.journal == ["begin", "commit", "drop roles users"]


async def test_tags_are_filled_from_the_fields_and_properties_of_the_command() -> None:
    @dataclass
    class Update(ICommand[str]):
        user_id: int

        @property
        def team(self) -> str:
            return f"team-of-{self.user_id}"

    handler = handler_of(Update, lambda _: "done", invalidates("user:{user_id}", "{team}:{user_id}!"))
    bus = bus_with(handler)
    await bus.execute_command(Update(7))
    assert bus.units.journal == ["drop team-of-7:7! user:7"]


async def test_nothing_is_dropped_for_what_was_rolled_back() -> None:
    bus = bus_with(handler_of(Do, raising(ConflictError("No.")), invalidates("users"), transactional()))
    await bus.execute_command(Do())
    assert bus.units.journal == ["begin", "rollback"]


async def test_what_failed_without_a_transaction_drops_for_it_may_have_sent_what_was_committed() -> None:
    bus = bus_with(handler_of(DoMore, lambda _: "stored", transactional()))

    async def store_and_fail(_: Do) -> str:
        await bus.execute_command(DoMore())
        raise ConflictError("No.")

    bus.register(handler_of(Do, store_and_fail, invalidates("users")))
    assert (await bus.execute_command(Do())).is_failure
    assert bus.units.journal == ["begin", "commit", "drop users"]


async def test_nothing_is_dropped_for_a_dry_run() -> None:
    bus = bus_with(handler_of(Do, lambda _: "x", invalidates("users"), transactional(commit_on_success=False)))
    await bus.execute_command(Do())
    assert bus.units.journal == ["begin", "rollback"]


async def test_what_commits_despite_an_error_makes_entries_stale_too() -> None:
    work = raising(BusinessRuleViolationError("Too many tries."))
    bus = bus_with(handler_of(Do, work, transactional(rollback_on=[]), invalidates("users")))
    await bus.execute_command(Do())
    assert bus.units.journal == ["begin", "commit", "drop users"]


async def test_a_handler_may_know_tags_of_its_own() -> None:
    bus = bus_with(handler_of(Do, lambda command: mark_stale(f"thing:{command.what}", "things"), transactional()))
    await bus.execute_command(Do("x"))
    assert bus.units.journal == ["begin", "commit", "drop thing:x things"]
    bus.register(handler_of(Happened, lambda _: mark_stale("seen"), transactional()))
    bus.register(handler_of(DoMore, lambda _: bus.publish_event(Happened()), transactional()))
    await bus.execute_command(DoMore())
    await bus.settled()
    assert bus.units.journal[-1] == "drop seen"


async def test_a_tag_that_nobody_would_drop_is_refused() -> None:
    bus = CQRSBus(cache=MemoryCache(FixedClock()))
    bus.register_command_handler(Do, handler_of(Do, lambda _: mark_stale("things"))())
    result = await bus.execute_command(Do())
    assert result.status is OperationStatus.FAILED
    assert "needs @transactional" in str(result.error_message)


async def test_only_the_winning_attempt_drops() -> None:
    bus = bus_with(
        handler_of(Do, lambda _: "x", invalidates("users"), transactional(), retry_on_failure(delay_seconds=0))
    )
    bus.units.fail_commits(error=TransientError("Busy."))
    await bus.execute_command(Do())
    assert bus.units.journal == ["begin", "rollback", "begin", "commit", "drop users"]


async def test_tags_of_an_operation_inside_wait_for_the_commit_around_it() -> None:
    async def outer(_: Do) -> str:
        result = (await bus.execute_command(DoMore())).unwrap()
        bus.units.journal.append("outer goes on")
        return result

    bus = bus_with(
        handler_of(Do, outer, transactional(), invalidates("outer")),
        handler_of(DoMore, lambda _: "done", transactional(), invalidates("inner")),
    )
    await bus.execute_command(Do())
    assert bus.units.journal == ["begin", "outer goes on", "commit", "drop inner outer"]


async def test_tags_of_a_failure_inside_that_was_undone_count_too() -> None:
    async def outer(_: Do) -> str:
        with suppress(ConflictError):
            async with savepoint():
                await bus.execute_command(DoMore())
        return "well"

    bus = bus_with(
        handler_of(Do, outer, transactional()),
        handler_of(DoMore, raising(ConflictError("No.")), transactional(), invalidates("inner")),
    )
    await bus.execute_command(Do())
    assert bus.units.journal == ["begin", "commit", "drop inner"], "one too many does no harm"


async def test_a_cache_that_fails_is_logged_and_fails_nothing(logs: list[MutableMapping[str, Any]]) -> None:
    bus = bus_with(handler_of(Do, lambda _: "done", transactional(), invalidates("users")))

    async def broken(tags: Collection[str]) -> None:
        raise ConnectionError

    bus.cache.invalidate = broken  # type: ignore[method-assign]  # a cache that is down
    assert (await bus.execute_command(Do())).unwrap() == "done"
    assert [entry["event"] for entry in logs] == ["cache_invalidation_failed"]


async def test_a_cancelled_caller_leaves_no_stale_entry_behind() -> None:
    bus = bus_with(handler_of(Do, lambda _: "done", transactional(), invalidates("users")))
    began, dropped, may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(tags: Collection[str]) -> None:
        began.set()
        await may_end.wait()
        dropped.set()

    bus.cache.invalidate = slow  # type: ignore[method-assign]  # a cache that takes its time
    task = asyncio.create_task(bus.execute_command(Do()))
    await within_patience(began.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_end.set()
    await within_patience(dropped.wait())


async def test_a_cache_that_takes_its_time_never_makes_done_work_late() -> None:
    bus = bus_with(handler_of(Do, lambda _: "done", transactional(), invalidates("users"), timeout_seconds=0.02))

    async def outlast_the_deadline(tags: Collection[str]) -> None:
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, passed.set)
        await passed.wait()

    bus.cache.invalidate = outlast_the_deadline  # type: ignore[method-assign]  # a cache that takes its time
    assert (await bus.execute_command(Do())).data == "done"


async def test_a_cache_that_hangs_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "LONGEST_INVALIDATION_SECONDS", 0.02)
    bus = bus_with(handler_of(Do, lambda _: "done", transactional(), invalidates("users")))
    hanging = asyncio.Event()

    async def hang(tags: Collection[str]) -> None:
        await hanging.wait()

    bus.cache.invalidate = hang  # type: ignore[method-assign]  # a cache that hangs
    assert (await within_patience(bus.execute_command(Do()))).data == "done"
    hanging.set()


async def test_a_commit_of_unknown_end_drops_to_be_sure() -> None:
    bus = bus_with(handler_of(Do, lambda _: "done", transactional(), invalidates("users"), timeout_seconds=0.01))
    unit = bus.units.open(None)
    unit.commit = forever  # type: ignore[method-assign]  # a commit that hangs
    bus.units.open = lambda isolation_level: unit  # type: ignore[method-assign]
    assert (await within_patience(bus.execute_command(Do()))).is_failure
    assert bus.units.journal[-1] == "drop users"


async def test_without_a_cache_there_is_nothing_to_drop() -> None:
    bus = CQRSBus()
    bus.register(handler_of(Do, lambda _: "done", invalidates("users")))
    assert (await bus.execute_command(Do())).is_success


@pytest.mark.parametrize(
    ("decorator", "message", "sentence"),
    [
        (invalidates(), Do, "DoHandler: @invalidates needs at least one tag"),
        (invalidates("day:{what:%Y}"), Do, "a tag takes fields as they are, without : or !: day:{what:%Y}"),
        (invalidates("day:{what!r}"), Do, "a tag takes fields as they are"),
        (invalidates("user:{user_id}"), Do, "a tag names user_id, which Do does not have"),
        (invalidates("users"), Ask, "for commands"),
    ],
)
def test_what_cannot_work_is_refused(decorator: Any, message: type, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        MemoryBus(handler_of(message, lambda _: None, decorator))
