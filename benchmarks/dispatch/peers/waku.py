"""waku: its message bus in a module with dishka beneath, in the set-up of its guide; handlers live in a scope."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from waku import WakuFactory, module
from waku.di import AsyncContainer, scoped
from waku.messaging import (
    CallNext,
    EventHandler,
    IEvent,
    IMessageBus,
    IPipelineBehavior,
    IRequest,
    MessagingConfig,
    MessagingExtension,
    MessagingModule,
    RequestHandler,
)

from benchmarks.dispatch.byhand import Operation
from benchmarks.dispatch.case import Case, Counter
from benchmarks.dispatch.lines import Line

NAME = "waku"
DOES = "an envelope with ids and a time, and a context, for every message; dishka scope; events through a queue"


@dataclass(frozen=True)
class Ping(IRequest[int]):
    number: int = 1


@dataclass(frozen=True)
class Happened(IEvent):
    number: int = 1


class Repository:
    """The one dependency."""


class PassOn(IPipelineBehavior[Any, Any]):
    async def handle(self, message: Any, /, call_next: CallNext[Any]) -> Any:
        return await call_next()


class PassOnToo(PassOn): ...


class PassOnAgain(PassOn): ...


class Guard(IPipelineBehavior[Any, Any]):
    async def handle(self, message: Any, /, call_next: CallNext[Any]) -> Any:
        with Operation() as operation:
            operation.data = await call_next()
        return operation


async def cases(stack: AsyncExitStack) -> list[Case]:
    """It makes no difference between commands and queries."""
    return [
        # Without any behaviour it looks for one in vain and catches the error: an empty one makes it twice as fast.
        await _sent(stack, Line.PLAIN, PassOn),
        await _sent(stack, Line.EQUAL, Guard),
        await _sent(stack, Line.THREE, PassOn, PassOnToo, PassOnAgain),
        await _scoped(stack),
        await _published(stack),
    ]


async def _start(stack: AsyncExitStack, extension: MessagingExtension, *behaviours: type[Any]) -> AsyncContainer:
    config = MessagingConfig(pipeline_behaviors=behaviours)

    @module(providers=[scoped(Repository)], imports=[MessagingModule.register(config)], extensions=[extension])
    class App: ...

    app = WakuFactory(App).create()
    await stack.enter_async_context(app)
    return app.container


async def _sent(stack: AsyncExitStack, line: Line, *behaviours: type[Any]) -> Case:
    counter = Counter()

    class Handler(RequestHandler[Ping, int]):
        async def handle(self, request: Ping, /) -> int:
            counter.hits += 1
            return 1

    container = await _start(stack, MessagingExtension().bind(Ping, Handler), *behaviours)
    bus = await (await stack.enter_async_context(container())).get(IMessageBus)
    return Case(line, NAME, bus.invoke, Ping, counter, steps=len(behaviours), note="the same scope for all")


async def _scoped(stack: AsyncExitStack) -> Case:
    counter = Counter()

    class Handler(RequestHandler[Ping, int]):
        def __init__(self, users: Repository) -> None:
            self.users = users

        async def handle(self, request: Ping, /) -> int:
            counter.hits += 1
            return 1

    container = await _start(stack, MessagingExtension().bind(Ping, Handler), PassOn)

    async def send(message: Ping) -> object:
        async with container() as scope:
            bus = await scope.get(IMessageBus)
            return await bus.invoke(message)

    return Case(Line.SCOPE, NAME, send, Ping, counter, steps=2, note="a scope for every message")


async def _published(stack: AsyncExitStack) -> Case:
    counter, handlers = Counter(), []
    for _ in range(3):

        class Handler(EventHandler[Happened]):
            async def handle(self, message: Happened, /) -> None:
                counter.hits += 1

        handlers.append(Handler)
    container = await _start(stack, MessagingExtension().bind(Happened, *handlers), PassOn)
    bus = await (await stack.enter_async_context(container())).get(IMessageBus)
    sent = 0

    async def publish(event: Happened) -> None:
        nonlocal sent
        sent += 3
        await bus.publish(event)

    async def drain() -> None:
        while counter.hits < sent:  # noqa: ASYNC110  # an event would cost the peer more than it saves
            await asyncio.sleep(0)

    note = "queued, then each handler in a scope of its own"
    return Case(Line.EVENT, NAME, publish, Happened, counter, calls=3, note=note, drain=drain)
