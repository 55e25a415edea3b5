"""mediatr: functions as handlers and behaviours, the quicker of the two forms in its README."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from mediatr import Mediator

from benchmarks.dispatch.byhand import Operation
from benchmarks.dispatch.case import Case, Counter
from benchmarks.dispatch.lines import Line

NAME = "mediatr"
DOES = "one process-wide table of handlers; inspects handlers and behaviours for every message; no events"


@dataclass
class Ping:
    number: int = 1


@dataclass
class PingEqual:
    number: int = 1


@dataclass
class PingThree:
    number: int = 1


async def cases(stack: AsyncExitStack) -> list[Case]:
    """It makes no difference between commands and queries."""
    _register_behaviours()
    return [_sent(Line.PLAIN, Ping), _sent(Line.EQUAL, PingEqual, steps=1), _sent(Line.THREE, PingThree, steps=3)]


def _sent(line: Line, message_type: type[Any], steps: int = 0) -> Case:
    counter = Counter()

    async def handle(request: Any) -> int:
        counter.hits += 1
        return 1

    handle.__annotations__["request"] = message_type
    Mediator.register_handler(handle)
    return Case(line, NAME, Mediator().send_async, message_type, counter, steps=steps, note="functions")


def _register_behaviours() -> None:
    async def guard(request: PingEqual, proceed: Callable[[], Awaitable[Any]]) -> Any:
        with Operation() as operation:
            operation.data = await proceed()
        return operation

    Mediator.register_behavior(guard)
    for _ in range(3):

        async def pass_on(request: PingThree, proceed: Callable[[], Awaitable[Any]]) -> Any:
            return await proceed()

        Mediator.register_behavior(pass_on)
