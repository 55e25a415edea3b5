"""neuroglia-python: its mediator as `Mediator.configure` makes it, on a web application builder."""

from contextlib import AsyncExitStack
from typing import Any

from neuroglia.dependency_injection import ServiceCollection
from neuroglia.hosting.web import WebApplicationBuilder
from neuroglia.mediation import Mediator, PipelineBehavior

from benchmarks.dispatch.byhand import Operation
from benchmarks.dispatch.case import Case
from benchmarks.dispatch.lines import Line
from benchmarks.dispatch.peers import neuroglia_handlers as handlers

NAME = "neuroglia-python"
DOES = "a scope and a handler built for every message; the handler makes the result; formats a log line each time"


class PassOn(PipelineBehavior[Any, Any]):
    async def handle_async(self, request: Any, next_handler: Any) -> Any:
        return await next_handler()


class PassOnToo(PassOn): ...


class PassOnAgain(PassOn): ...


class Guard(PipelineBehavior[Any, Any]):
    async def handle_async(self, request: Any, next_handler: Any) -> Any:
        with Operation() as operation:
            operation.data = await next_handler()
        return operation


async def cases(stack: AsyncExitStack) -> list[Case]:
    """Its handlers are always built in a scope, whether they need anything or not."""
    plain, note = _mediator(), "a scope for every message"
    guarded, three = _mediator(Guard), _mediator(PassOn, PassOnToo, PassOnAgain)
    at_once = "all three at once, by gather"
    return [
        Case(Line.PLAIN, NAME, plain.execute_async, handlers.Ping, handlers.commands, note=note),
        Case(Line.QUERY, NAME, plain.execute_async, handlers.Ask, handlers.queries, note=note),
        Case(Line.EQUAL, NAME, guarded.execute_async, handlers.Ping, handlers.commands, steps=1, note=note),
        Case(Line.THREE, NAME, three.execute_async, handlers.Ping, handlers.commands, steps=3, note=note),
        Case(Line.SCOPE, NAME, plain.execute_async, handlers.ScopedPing, handlers.scoped_commands, note=note),
        Case(Line.EVENT, NAME, plain.publish_async, _happened, handlers.events, calls=3, note=at_once),
    ]


def _happened() -> handlers.Happened:
    return handlers.Happened("1")


def _mediator(*behaviours: type[Any]) -> Any:
    builder = WebApplicationBuilder()
    # All its builders share one collection; every line wants its own behaviours.
    builder.services = ServiceCollection()
    Mediator.configure(builder, [handlers.__name__])
    builder.services.add_scoped(handlers.Repository)
    for behaviour in behaviours:
        # By a factory, as its own behaviours are registered: much quicker than by class.
        builder.services.add_scoped(PipelineBehavior, implementation_factory=lambda _, made=behaviour: made())
    return builder.services.build().get_required_service(Mediator)
