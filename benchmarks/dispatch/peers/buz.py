"""buz: its asynchronous command and query buses and its synchronous event bus, all on an `InstanceLocator`."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from buz.command import Command
from buz.command.asynchronous import BaseCommandHandler
from buz.command.asynchronous.middleware import HandleMiddleware
from buz.command.asynchronous.self_process import SelfProcessCommandBus
from buz.event import BaseSubscriber, Event
from buz.event.sync import SyncEventBus
from buz.locator.sync import InstanceLocator
from buz.query import Query, QueryResponse
from buz.query.asynchronous import BaseQueryHandler
from buz.query.asynchronous.self_process import SelfProcessQueryBus

from benchmarks.dispatch.byhand import Operation
from benchmarks.dispatch.case import Case, Counter
from benchmarks.dispatch.lines import Line

NAME = "buz"
DOES = "looks up by a name put together for every message; commands answer nothing; messages carry an id and a time"


@dataclass(frozen=True)
class Ping(Command):
    number: int = 1


@dataclass(frozen=True)
class Ask(Query):
    number: int = 1


@dataclass(frozen=True)
class Happened(Event):
    number: int = 1


class PassOn(HandleMiddleware):
    async def on_handle(self, command: Any, command_handler: Any, handle: Any) -> None:
        await handle(command, command_handler)


class Guard(HandleMiddleware):
    async def on_handle(self, command: Any, command_handler: Any, handle: Any) -> None:
        with Operation() as operation:
            await handle(command, command_handler)
        # The bus of this peer drops what a middleware answers.
        return operation  # type: ignore[return-value]


async def cases(stack: AsyncExitStack) -> list[Case]:
    """Everything that runs in process."""
    return [
        _sent(Line.PLAIN),
        _asked(),
        _sent(Line.EQUAL, Guard()),
        _sent(Line.THREE, PassOn(), PassOn(), PassOn()),
        _published(),
    ]


def _sent(line: Line, *middlewares: HandleMiddleware) -> Case:
    counter = Counter()

    class Handler(BaseCommandHandler[Ping]):
        async def handle(self, command: Ping) -> None:
            counter.hits += 1

    locator: InstanceLocator[Any, Any] = InstanceLocator()
    locator.register(Handler())
    bus = SelfProcessCommandBus(locator, list(middlewares))
    return Case(line, NAME, bus.handle, Ping, counter, steps=len(middlewares), note="commands answer nothing")


def _asked() -> Case:
    counter = Counter()

    class Handler(BaseQueryHandler[Ask, QueryResponse]):
        async def handle(self, query: Ask) -> QueryResponse:
            counter.hits += 1
            return QueryResponse(content=1)

    locator: InstanceLocator[Any, Any] = InstanceLocator()
    locator.register(Handler())
    bus = SelfProcessQueryBus(locator)
    return Case(Line.QUERY, NAME, bus.handle, Ask, counter, note="the answer in a frozen dataclass")


def _published() -> Case:
    counter = Counter()
    locator: InstanceLocator[Any, Any] = InstanceLocator()
    for _ in range(3):

        class Subscriber(BaseSubscriber[Happened]):
            def consume(self, event: Happened) -> None:
                counter.hits += 1

        locator.register(Subscriber())
    note = "synchronous: subscribers cannot await"
    return Case(Line.EVENT, NAME, SyncEventBus(locator).publish, Happened, counter, calls=3, is_sync=True, note=note)
