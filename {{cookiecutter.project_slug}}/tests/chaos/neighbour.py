"""What a service beside another does: it tells of some things, keeps others to itself, and hears of its neighbour's."""

import os
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Column, Integer, Table, Text, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    DomainEvent,
    ICommand,
    IQuery,
    cached_query,
    command_handler,
    event_handler,
    idempotent,
    query_handler,
    transactional,
)
from tests.chaos import bank

NEIGHBOUR = "NEIGHBOUR"

effects = Table(
    "chaos_neighbours",
    bank.metadata,
    Column("place", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("entry", Text, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class Greeted(DomainEvent):
    """Others may hear of it."""

    public: ClassVar[bool] = True

    entry: str


@dataclass(frozen=True, kw_only=True)
class Whispered(DomainEvent):
    """Nobody else may."""

    entry: str


@dataclass(frozen=True, kw_only=True)
class NeighbourGreeted(DomainEvent):
    """What the other one tells."""

    event_source = os.environ.get(NEIGHBOUR, "nobody")
    event_type = "Greeted"

    entry: str


@dataclass(frozen=True, kw_only=True)
class NeighbourWhispered(DomainEvent):
    """What the other one does not tell."""

    event_source = os.environ.get(NEIGHBOUR, "nobody")
    event_type = "Whispered"

    entry: str


@dataclass(frozen=True)
class Greet(ICommand[str]):
    """Both services number theirs alike, and send the same keys."""

    entry: str


@command_handler(Greet)
@transactional()
@idempotent()
class GreetHandler(BaseCommandHandler[Greet, str]):
    """Tells of it in both ways."""

    settings: Settings

    async def _handle(self, command: Greet) -> str:
        entry = f"{self.settings.service_name} {command.entry}"
        await self.bus.publish_event(Greeted(entry=entry))
        await self.bus.publish_event(Whispered(entry=entry))
        return entry


@dataclass(frozen=True)
class Ask(IQuery[str]):
    """What this service is called."""


@query_handler(Ask)
@cached_query(ttl_seconds=1)
class AskHandler(BaseQueryHandler[Ask, str]):
    """Both have it under the same key."""

    settings: Settings

    async def _handle(self, query: Ask) -> str:
        return self.settings.service_name


async def note(session: AsyncSession, source: str, entry: str) -> None:
    """Write down whom a service heard."""
    await session.execute(insert(effects).values(source=source, entry=entry))


@event_handler(Greeted)
@transactional()
class NoteGreeted(BaseEventHandler[Greeted]):
    """Of its own."""

    session: AsyncSession

    async def _handle(self, event: Greeted) -> None:
        await note(self.session, "own", event.entry)


@event_handler(Whispered)
@transactional()
class NoteWhispered(BaseEventHandler[Whispered]):
    """Of its own, which it keeps to itself."""

    session: AsyncSession

    async def _handle(self, event: Whispered) -> None:
        await note(self.session, "whispered", event.entry)


@event_handler(NeighbourGreeted)
@transactional()
class NoteNeighbourGreeted(BaseEventHandler[NeighbourGreeted]):
    """Of the other one."""

    session: AsyncSession

    async def _handle(self, event: NeighbourGreeted) -> None:
        await note(self.session, "neighbour", event.entry)


@event_handler(NeighbourWhispered)
@transactional()
class NoteNeighbourWhispered(BaseEventHandler[NeighbourWhispered]):
    """Of the other one, who must not have said it."""

    session: AsyncSession

    async def _handle(self, event: NeighbourWhispered) -> None:
        await note(self.session, "overheard", event.entry)
