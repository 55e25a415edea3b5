"""What neuroglia-python's mediator finds by itself when it is told to look into this module."""

from dataclasses import dataclass
from typing import Any

from neuroglia.core import OperationResult
from neuroglia.data.abstractions import DomainEvent
from neuroglia.mediation import Command, CommandHandler, DomainEventHandler, Query, QueryHandler

from benchmarks.dispatch.case import Counter

commands, scoped_commands, queries, events = Counter(), Counter(), Counter(), Counter()


@dataclass
class Ping(Command[OperationResult[int]]):
    number: int = 1


@dataclass
class ScopedPing(Command[OperationResult[int]]):
    number: int = 1


@dataclass
class Ask(Query[OperationResult[int]]):
    number: int = 1


class Happened(DomainEvent[str]):
    """An event; the base gives it an id and a time."""


class Repository:
    """The one dependency."""


class PingHandler(CommandHandler[Ping, OperationResult[int]]):
    async def handle_async(self, request: Ping) -> Any:
        commands.hits += 1
        return self.ok(1)


class ScopedPingHandler(CommandHandler[ScopedPing, OperationResult[int]]):
    def __init__(self, users: Repository) -> None:
        self.users = users

    async def handle_async(self, request: ScopedPing) -> Any:
        scoped_commands.hits += 1
        return self.ok(1)


class AskHandler(QueryHandler[Ask, OperationResult[int]]):
    async def handle_async(self, request: Ask) -> Any:
        queries.hits += 1
        return self.ok(1)


class First(DomainEventHandler[Happened]):
    async def handle_async(self, notification: Happened) -> None:
        events.hits += 1


class Second(DomainEventHandler[Happened]):
    async def handle_async(self, notification: Happened) -> None:
        events.hits += 1


class Third(DomainEventHandler[Happened]):
    async def handle_async(self, notification: Happened) -> None:
        events.hits += 1
