"""An event of an aggregate, and three reactions to it, each with a write of its own."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, Uuid, func, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import registry

from app.core.cqrs import (
    AggregateRoot,
    BaseCommandHandler,
    BaseEventHandler,
    DomainEvent,
    ICommand,
    command_handler,
    event_handler,
    transactional,
)

metadata = MetaData()
letters = Table(
    "benchmark_letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
)
effects = Table(
    "benchmark_effects",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("reaction", Text, primary_key=True),
    Column("at", DateTime(timezone=True), server_default=func.clock_timestamp()),
)


@dataclass(frozen=True, kw_only=True)
class LetterPosted(DomainEvent):
    """A letter was posted."""

    letter_id: UUID


class Letter(AggregateRoot):
    """A letter, which is posted when it is made."""

    id: UUID

    def __init__(self) -> None:
        self.id = uuid4()
        self.raise_event(LetterPosted(letter_id=self.id))


registry(metadata=metadata).map_imperatively(
    Letter, letters, version_id_col=letters.c.version, version_id_generator=False
)


@dataclass(frozen=True)
class PostLetters(ICommand[None]):
    """Post so many new letters."""

    how_many: int


@command_handler(PostLetters)
@transactional()
class PostLettersHandler(BaseCommandHandler[PostLetters, None]):
    """Each is an aggregate with one event."""

    session: AsyncSession

    async def _handle(self, command: PostLetters) -> None:
        for _ in range(command.how_many):
            self.session.add(Letter())


class Note(BaseEventHandler[LetterPosted]):
    """Writes a row."""

    session: AsyncSession

    async def _handle(self, event: LetterPosted) -> None:
        await self.session.execute(insert(effects).values(event_id=event.event_id, reaction=type(self).__name__))


@event_handler(LetterPosted)
@transactional()
class NoteOne(Note):
    """The first of the three."""


@event_handler(LetterPosted)
@transactional()
class NoteTwo(Note):
    """The second."""


@event_handler(LetterPosted)
@transactional()
class NoteThree(Note):
    """The third."""
