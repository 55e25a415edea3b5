"""python-cqrs: mediators put together by hand, which spares the logging of `bootstrap`, on the quicker container."""

from contextlib import AsyncExitStack
from typing import Any

import cqrs
import di
from cqrs.container.dependency_injector import DependencyInjectorCQRSContainer
from cqrs.container.di import DIContainer
from cqrs.middlewares import MiddlewareChain
from dependency_injector import containers, providers
from di.dependent import Dependent

from benchmarks.dispatch import byhand
from benchmarks.dispatch.case import Case, Counter, own_code
from benchmarks.dispatch.lines import Line

NAME = "python-cqrs"
DOES = "a handler built for every message by its container; the events of the handler are emitted afterwards"


class Ping(cqrs.Request[None]):
    number: int = 1


class Happened(cqrs.DomainEvent, frozen=True):
    number: int = 1


class Repository:
    """The one dependency."""


pass_on, guard = own_code(byhand.pass_on), own_code(byhand.guard)


async def cases(stack: AsyncExitStack) -> list[Case]:
    """It makes no difference between commands and queries."""
    return [
        _sent(Line.PLAIN),
        _sent(Line.EQUAL, guard),
        _sent(Line.THREE, pass_on, pass_on, pass_on),
        _scoped(),
        _published(),
    ]


def _container(*types: type[Any]) -> DependencyInjectorCQRSContainer:
    made = {f"provider_{number}": providers.Factory(type_) for number, type_ in enumerate(types)}
    container = DependencyInjectorCQRSContainer()
    container.attach_external_container(type("Made", (containers.DeclarativeContainer,), made)())
    return container


def _bound(handler: type[Any]) -> Any:
    requests: Any = cqrs.RequestMap()
    requests.bind(Ping, handler)
    return requests


def _sent(line: Line, *middlewares: Any) -> Case:
    counter = Counter()

    class Handler(cqrs.RequestHandler[Ping, None]):
        async def handle(self, request: Ping) -> None:
            counter.hits += 1

    chain = MiddlewareChain()
    chain.set(list(middlewares))
    mediator = cqrs.RequestMediator(_bound(Handler), _container(Handler), middleware_chain=chain)
    note = "a handler built for every message"
    return Case(line, NAME, mediator.send, Ping, counter, steps=len(middlewares), note=note)


def _scoped() -> Case:
    counter = Counter()

    class Handler(cqrs.RequestHandler[Ping, None]):
        def __init__(self, users: Repository) -> None:
            self.users = users

        async def handle(self, request: Ping) -> None:
            counter.hits += 1

    external, container = di.Container(), DIContainer()
    external.bind(di.bind_by_type(Dependent(Repository, scope="request"), Repository))
    container.attach_external_container(external)
    mediator = cqrs.RequestMediator(_bound(Handler), container, scope_strategy=cqrs.ScopeStrategy.SEND)
    return Case(Line.SCOPE, NAME, mediator.send, Ping, counter, note="a scope for every message, by di")


def _published() -> Case:
    counter, handlers = Counter(), []
    events: Any = cqrs.EventMap()
    for _ in range(3):

        class Handler(cqrs.EventHandler[Happened]):
            async def handle(self, event: Happened) -> None:
                counter.hits += 1

        events.bind(Happened, Handler)
        handlers.append(Handler)
    mediator = cqrs.EventMediator(events, _container(*handlers))
    return Case(Line.EVENT, NAME, mediator.send, Happened, counter, calls=3, note="one after the other")
