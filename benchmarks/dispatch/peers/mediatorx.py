"""mediatorx: handlers as instances in its `DictResolver`, behaviours and notifications as its README shows them."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, cast

import mediatorx

from benchmarks.dispatch.byhand import Operation
from benchmarks.dispatch.case import Case, Counter
from benchmarks.dispatch.lines import Line

NAME = "mediatorx"
DOES = "looks up by type and folds its behaviours anew for every message; errors and answers pass as they are"


@dataclass
class Ping(mediatorx.ICommand[int]):
    number: int = 1


@dataclass
class Ask(mediatorx.IQuery[int]):
    number: int = 1


@dataclass(frozen=True)
class Happened(mediatorx.INotification):
    number: int = 1


class PassOn:
    async def handle(self, message: Any, proceed: Any) -> Any:
        return await proceed()


class PassOnToo(PassOn): ...


class PassOnAgain(PassOn): ...


class Guard:
    async def handle(self, message: Any, proceed: Any) -> Any:
        with Operation() as operation:
            operation.data = await proceed()
        return operation


async def cases(stack: AsyncExitStack) -> list[Case]:
    """Its quickest documented form on every line."""
    return [
        _sent(Line.PLAIN, Ping),
        _sent(Line.QUERY, Ask),
        _sent(Line.EQUAL, Ping, Guard),
        _sent(Line.THREE, Ping, PassOn, PassOnToo, PassOnAgain),
        _published(),
    ]


def _sent(line: Line, message: type[Any], *behaviours: type[Any]) -> Case:
    counter = Counter()

    class Handler:
        async def handle(self, message: Any) -> int:
            counter.hits += 1
            return 1

    resolver = mediatorx.DictResolver().add_instance(Handler, Handler())
    mediator = mediatorx.Mediator(cast(Any, resolver)).register(message, Handler)
    for behaviour in behaviours:
        resolver.add_instance(behaviour, behaviour())
        mediator.add_behavior(behaviour)
    steps, note = len(behaviours), "handlers and behaviours as instances"
    return Case(line, NAME, mediator.send, message, counter, steps=steps, note=note)


def _published() -> Case:
    counter = Counter()
    resolver = mediatorx.DictResolver()
    mediator = mediatorx.Mediator(cast(Any, resolver))
    for _ in range(3):

        class Handler:
            async def handle(self, notification: Happened) -> None:
                counter.hits += 1

        resolver.add_instance(Handler, Handler())
        mediator.register_notification(Happened, Handler)
    return Case(Line.EVENT, NAME, mediator.publish, Happened, counter, calls=3, note="one after the other")
