"""Our bus, with handlers as instances: what is not declared must cost nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    CQRSBus,
    DomainEvent,
    ICommand,
    IQuery,
    command_handler,
    event_handler,
    query_handler,
)
from benchmarks.dispatch.case import Case, Counter, own_code
from benchmarks.dispatch.lines import OURS, Line

DOES = "pipeline compiled per message type at start; error boundary, result, nesting detection; the rest when declared"

TYPES = 50


@dataclass
class Ping(ICommand[int]):
    """A command that declares nothing."""

    number: int = 1


@dataclass
class Ask(IQuery[int]):
    """A query that declares nothing."""

    number: int = 1


@dataclass
class Checked(ICommand[int]):
    """A command that validates itself."""

    number: int = 1

    def validate(self) -> dict[str, Any]:
        """Positive numbers only."""
        return {} if self.number > 0 else {"number": "It must be positive."}


@dataclass(frozen=True, kw_only=True)
class Happened(DomainEvent):
    """An event."""

    number: int = 1


def cases() -> list[Case]:
    """Every line but those that need a container."""
    one, fifty = _types(1), _types(TYPES)
    return [
        _sent(Line.PLAIN),
        _sent(Line.EQUAL),
        _asked(),
        _validated(),
        _reading(),
        _sent(Line.THREE, middlewares=3),
        _published(),
        Case(Line.FIFTY_TYPES, OURS, fifty.send, fifty.make, fifty.counter, floor=one, messages=fifty.messages),
        _sent(Line.DEADLINE, has_deadline=True),
        _suspending(Line.SLOW, has_deadline=False),
        _suspending(Line.SLOW_DEADLINE, has_deadline=True),
    ]


async def pass_on(operation: Any, next_handler: Callable[[], Awaitable[Any]]) -> Any:
    """A middleware that does nothing."""
    return await next_handler()


def _sent(line: Line, *, middlewares: int = 0, has_deadline: bool = False) -> Case:
    counter, bus = Counter(), CQRSBus()

    class Handler(BaseCommandHandler[Ping, int]):
        async def _handle(self, command: Ping) -> int:
            counter.hits += 1
            return 1

    bus.register_command_handler(Ping, _declared(Handler, has_deadline)())
    for _ in range(middlewares):
        bus.add_middleware(own_code(pass_on))
    return Case(line, OURS, bus.execute_command, Ping, counter, steps=middlewares)


def _suspending(line: Line, *, has_deadline: bool) -> Case:
    counter, bus = Counter(), CQRSBus()

    class Handler(BaseCommandHandler[Ping, int]):
        async def _handle(self, command: Ping) -> int:
            counter.hits += 1
            await asyncio.sleep(0)
            return 1

    bus.register_command_handler(Ping, _declared(Handler, has_deadline)())
    return Case(line, OURS, bus.execute_command, Ping, counter, note="floors of a handler that suspends")


def _declared(handler: type[BaseCommandHandler[Ping, int]], has_deadline: bool) -> type[BaseCommandHandler[Ping, int]]:
    return (command_handler(Ping) if has_deadline else command_handler(Ping, timeout_seconds=None))(handler)


def _asked() -> Case:
    counter, bus = Counter(), CQRSBus()

    @query_handler(Ask, timeout_seconds=None)
    class Handler(BaseQueryHandler[Ask, int]):
        async def _handle(self, query: Ask) -> int:
            counter.hits += 1
            return 1

    bus.register_query_handler(Ask, Handler())
    return Case(Line.QUERY, OURS, bus.execute_query, Ask, counter)


def _validated() -> Case:
    counter, bus = Counter(), CQRSBus()

    @command_handler(Checked, timeout_seconds=None)
    class Handler(BaseCommandHandler[Checked, int]):
        async def _handle(self, command: Checked) -> int:
            counter.hits += 1
            return 1

    bus.register_command_handler(Checked, Handler())
    return Case(Line.VALIDATED, OURS, bus.execute_command, Checked, counter)


def _reading() -> Case:
    counter, bus = Counter(), CQRSBus()

    @command_handler(Checked, timeout_seconds=None)
    class Handler(BaseCommandHandler[Checked, int]):
        async def _handle(self, command: Checked) -> int:
            counter.hits += self.bus is bus
            return 1

    bus.register_command_handler(Checked, Handler())
    return Case(Line.READING, OURS, bus.execute_command, Checked, counter)


def _published() -> Case:
    counter, bus = Counter(), CQRSBus()
    for _ in range(3):

        @event_handler(Happened)
        class Handler(BaseEventHandler[Happened]):
            async def _handle(self, event: Happened) -> None:
                counter.hits += 1

        bus.register_event_handler(Happened, Handler())
    note = "one after the other; all failures raised together"
    return Case(Line.EVENT, OURS, bus.publish_event, Happened, counter, calls=3, note=note)


def _types(number: int) -> Case:
    """As many message types, each with a handler whose code is its own, sent in turn."""
    counter, bus = Counter(), CQRSBus()
    messages = tuple(_one_more_type(bus, counter) for _ in range(number))
    line = Line.ONE_TYPE if number == 1 else Line.FIFTY_TYPES
    return Case(line, OURS, bus.execute_command, lambda: messages[0], counter, messages=messages * (TYPES // number))


def _one_more_type(bus: CQRSBus, counter: Counter) -> ICommand[int]:
    @dataclass
    class Typed(ICommand[int]):
        number: int = 1

    async def handle(self: Any, command: Typed) -> int:
        counter.hits += 1
        return 1

    class Handler(BaseCommandHandler[Typed, int]):
        _handle = own_code(handle)

    bus.register_command_handler(Typed, command_handler(Typed, timeout_seconds=None)(Handler)())
    return Typed()
