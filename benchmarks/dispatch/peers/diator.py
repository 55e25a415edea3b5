"""diator: handlers built by its container for every message, as its README and the docstrings of its classes show."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import rodi
from diator.container.rodi import RodiContainer
from diator.events import DomainEvent, Event, EventEmitter, EventHandler, EventMap
from diator.mediator import Mediator
from diator.middlewares import MiddlewareChain
from diator.requests import Request, RequestHandler, RequestMap

from benchmarks.dispatch import byhand
from benchmarks.dispatch.case import Case, Counter, own_code
from benchmarks.dispatch.lines import Line

NAME = "diator"
DOES = "a handler built for every message by rodi, its quicker container; messages carry an id; no scope that closes"


@dataclass(frozen=True, kw_only=True)
class Ping(Request):
    number: int = 1


@dataclass(frozen=True, kw_only=True)
class Happened(DomainEvent):
    number: int = 1


class Repository:
    """The one dependency."""


class Handling(RequestHandler[Ping, None]):
    """A handler as in the README: it keeps its events."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    @property
    def events(self) -> list[Event]:
        return self._events


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


def _container(*types: type[Any]) -> RodiContainer:
    external = rodi.Container()
    for type_ in types:
        external.add_transient(type_)
    container = RodiContainer()
    container.attach_external_container(external)
    return container


def _mediator(handler: type[Any], *middlewares: Any) -> Mediator:
    requests, chain = RequestMap(), MiddlewareChain()
    requests.bind(Ping, handler)
    chain.set(list(middlewares))
    return Mediator(request_map=requests, container=_container(Repository, handler), middleware_chain=chain)


def _sent(line: Line, *middlewares: Any) -> Case:
    counter = Counter()

    class Handler(Handling):
        async def handle(self, request: Ping) -> None:
            counter.hits += 1

    mediator, note = _mediator(Handler, *middlewares), "a handler built for every message"
    return Case(line, NAME, mediator.send, Ping, counter, steps=len(middlewares), note=note)


def _scoped() -> Case:
    counter = Counter()

    class Handler(Handling):
        def __init__(self, users: Repository) -> None:
            super().__init__()
            self.users = users

        async def handle(self, request: Ping) -> None:
            counter.hits += 1

    note = "built for every message, but no scope is opened or closed"
    return Case(Line.SCOPE, NAME, _mediator(Handler).send, Ping, counter, note=note, comparable=False)


def _published() -> Case:
    counter, events, handlers = Counter(), EventMap(), []
    for _ in range(3):

        class Handler(EventHandler[Happened]):
            async def handle(self, event: Happened) -> None:
                counter.hits += 1

        events.bind(Happened, Handler)
        handlers.append(Handler)
    emitter = EventEmitter(event_map=events, container=_container(*handlers))
    return Case(Line.EVENT, NAME, emitter.emit, Happened, counter, calls=3, note="one after the other")
