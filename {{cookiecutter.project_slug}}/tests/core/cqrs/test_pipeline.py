"""The one order of all steps, as a log."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    CQRSBus,
    authorize,
    cached_query,
    command_handler,
    event_handler,
    idempotent,
    invalidates,
    query_handler,
    retry_on_failure,
    transactional,
    validate_input,
)
from app.core.cqrs.pipeline import ORDER
from app.core.cqrs.testing import MemoryBus
from tests.core.cqrs.support import Ask, Do, DoMore, Happened, Thing, handler_of, may, sent_by


class NotingBus(MemoryBus):
    """A bus that notes everything it does in one journal."""

    def __init__(self, *handlers: type) -> None:
        super().__init__(*handlers, grants={"ada": may("a:b")})
        note = self.units.journal.append
        scope, access, cache = self.scope, self.access, self.cache
        open_scope, grants_of = scope.__call__, access.grants_of
        get_entry, set_entry, invalidate = cache.get, cache.set, cache.invalidate

        class NotingScope(type(scope)):  # type: ignore[misc]  # it is a class
            @asynccontextmanager
            async def __call__(self) -> AsyncIterator[Any]:
                note("open scope")
                try:
                    async with open_scope() as opened:
                        yield opened
                finally:
                    note("close scope")

        async def noting_grants(user_id: str) -> Any:
            note("permissions")
            return await grants_of(user_id)

        async def noting_get(key: str) -> Any:
            note("look up")
            return await get_entry(key)

        async def noting_set(*arguments: Any) -> None:
            note("store")
            await set_entry(*arguments)

        async def noting_invalidate(tags: Collection[str]) -> None:
            note("invalidate")
            await invalidate(tags)

        scope.__class__ = NotingScope
        access.grants_of = noting_grants  # type: ignore[method-assign]
        cache.get, cache.invalidate = noting_get, noting_invalidate  # type: ignore[method-assign]
        cache.set = noting_set  # type: ignore[method-assign, assignment]

        async def middleware(operation: Any, next_handler: Any) -> Any:
            note("middleware in")
            result = await next_handler()
            note("middleware out")
            return result

        self.add_middleware(middleware)


async def test_the_order_of_a_command() -> None:
    note: Any = lambda *_: None  # noqa: E731  # bound below, when the bus is there

    @invalidates("things")
    @retry_on_failure(delay_seconds=0)
    @idempotent()
    @transactional("SERIALIZABLE")
    @authorize(["a:b"])
    @validate_input(lambda _: note("validate"))
    @command_handler(Do)
    class DoHandler(BaseCommandHandler[Do, str]):
        """Does it."""

        async def _handle(self, command: Do) -> str:
            note("handle")
            bus.units.track(Thing("1")).change()
            return (await self.bus.execute_command(DoMore())).unwrap()

        async def _get_affected_entities(self, command: Do, result: str) -> dict[str, Any]:
            note("affected")
            return {}

    @transactional()
    @authorize(["a:b"])
    @command_handler(DoMore)
    class DoMoreHandler(BaseCommandHandler[DoMore, str]):
        """Does more."""

        async def _handle(self, command: DoMore) -> str:
            note("handle more")
            return "done"

    @event_handler(Happened, in_transaction=True)
    class Inside(BaseEventHandler[Happened]):
        """Reacts inside."""

        async def _handle(self, event: Happened) -> None:
            note("react inside")

    @event_handler(Happened)
    class After(BaseEventHandler[Happened]):
        """Reacts after."""

        async def _handle(self, event: Happened) -> None:
            note("react after")

    bus = NotingBus(DoHandler, DoMoreHandler, Inside, After)
    note = bus.units.journal.append
    bus.units.fail_commits()
    result = await bus.execute_command(sent_by("ada", Do(), idempotency_key="key"))
    note("answer")
    await bus.settled()
    assert result.unwrap() == "done"
    attempt = [
        *("open scope", "begin SERIALIZABLE", "claim key", "handle"),
        *("middleware in", "handle more", "middleware out"),
        *("affected", "react inside", "record Happened"),
    ]
    assert bus.units.journal == [
        *("middleware in", "validate", "permissions"),
        *(*attempt, "rollback", "close scope"),
        *(*attempt, "commit", "close scope", "invalidate", "middleware out", "answer"),
        *("open scope", "react after", "close scope"),
    ]


async def test_the_order_of_a_query() -> None:
    note: Any = lambda *_: None  # noqa: E731  # bound below, when the bus is there

    @cached_query()
    @authorize(["a:b"])
    @validate_input(lambda _: note("validate"))
    @query_handler(Ask)
    class AskHandler(BaseQueryHandler[Ask, str | None]):
        """Answers."""

        async def _handle(self, query: Ask) -> str:
            note("handle")
            return "answer"

        async def _get_pagination_info(self, query: Ask, result: str | None) -> Any:
            note("pagination")

    bus = NotingBus(AskHandler)
    note = bus.units.journal.append
    before = ["middleware in", "validate", "permissions", "look up"]
    await bus.execute_query(sent_by("ada", Ask()))
    assert bus.units.journal == [
        *(*before, "open scope", "handle", "pagination", "close scope", "store", "middleware out")
    ]
    bus.units.journal.clear()
    await bus.execute_query(sent_by("ada", Ask()))
    assert bus.units.journal == [*before, "middleware out"]


def test_the_order_stands_in_one_list() -> None:
    assert [step.__name__ for step in ORDER] == [
        *("tracing", "middleware", "after_commit", "deadline", "authentication", "validation", "Authorize"),
        *("CachedQuery", "RetryOnFailure", "attempt", "Transactional", "Idempotent", "deduplication", "Invalidates"),
    ]


def test_what_is_not_declared_is_not_there() -> None:
    bus = CQRSBus()
    bus.register_command_handler(DoMore, handler_of(DoMore, lambda _: "x", timeout_seconds=None)())
    assert bus.describe()["commands"]["DoMore"]["steps"] == ["handling"]
