"""Our bus as a service runs it: handlers built by dishka for each operation, and what is around every message."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from dishka import Provider, make_async_container

from app.core.cqrs import BaseCommandHandler, CQRSBus, ICommand, command_handler
from app.core.logging import configure_logging
from app.core.observability.logging import log_outcome
from app.core.observability.metrics import measure
from app.core.scopes import Lifetime, OperationScopes
from benchmarks.dispatch.case import Case, Counter
from benchmarks.dispatch.lines import OURS, Line


@dataclass
class Ping(ICommand[int]):
    """A command."""

    number: int = 1


class Repository:
    """The one dependency."""


def cases(stack: AsyncExitStack) -> list[Case]:
    """The scope alone, and with all that is around every message."""
    return [_scoped(stack), _shipped(stack)]


def _scoped(stack: AsyncExitStack) -> Case:
    counter = Counter()
    bus = _bus(stack, command_handler(Ping, timeout_seconds=None)(_handler(counter)))
    return Case(Line.SCOPE, OURS, bus.execute_command, Ping, counter, note="a scope for every message, by dishka")


def _shipped(stack: AsyncExitStack) -> Case:
    counter = Counter()
    configure_logging(level="INFO")
    bus = _bus(stack, command_handler(Ping)(_handler(counter)))
    bus.add_middleware(log_outcome)
    bus.add_middleware(measure)
    return Case(Line.SHIPPED, OURS, bus.execute_command, Ping, counter, note="no line in the log for a success")


def _handler(counter: Counter) -> type[BaseCommandHandler[Ping, int]]:
    class Handler(BaseCommandHandler[Ping, int]):
        users: Repository

        async def _handle(self, command: Ping) -> int:
            counter.hits += 1
            return 1

    return Handler


def _bus(stack: AsyncExitStack, handler: type[BaseCommandHandler[Ping, int]]) -> CQRSBus:
    provider = Provider(scope=Lifetime.OPERATION)
    provider.provide(Repository)
    provider.provide(handler, cache=False)
    container = make_async_container(provider, scopes=Lifetime)
    stack.push_async_callback(container.close)
    bus = CQRSBus(scope=OperationScopes(container))
    bus.register_command_handler(Ping, handler)
    return bus
