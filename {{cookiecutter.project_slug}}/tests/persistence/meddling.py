"""A query that changes something, in every way there is, and commands that ask it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    ConfigurationError,
    ICommand,
    IQuery,
    ResourceNotFoundError,
    command_handler,
    query_handler,
    transactional,
)
from app.core.ids import uuid7
from app.domain.user import User
from app.persistence.events.event_sourcing import EventStreams
from app.persistence.tables import roles, users
from tests.persistence.accounts import Account

Way = Literal["a field", "a new row", "a deletion", "an update", "an insert", "an event"]
WAYS: tuple[Way, ...] = get_args(Way)


def somebody() -> User:
    """A user who is not stored yet."""
    names = {"email": "meddler@example.org", "username": "meddler", "full_name": "Meddled"}
    return User(id=uuid7(), password_hash="", created_at=datetime.now(UTC), **names)


@dataclass(frozen=True)
class Meddle(IQuery[str]):
    """Change a user in this way; None: only look. Then answer its name, or fail."""

    user_id: UUID
    way: Way | None = None
    fails: bool = False


@query_handler(Meddle)
class MeddleHandler(BaseQueryHandler[Meddle, str]):
    """Does what no query may do."""

    session: AsyncSession
    streams: EventStreams

    async def _handle(self, query: Meddle) -> str:
        user = await self.session.get_one(User, query.user_id)
        match query.way:
            case "a field":
                user.full_name = "Meddled"
            case "a new row":
                self.session.add(somebody())
            case "a deletion":
                await self.session.delete(user)
            case "an update":
                await self.session.execute(update(users).values(full_name="Meddled"))
            case "an insert":
                await self.session.execute(insert(roles).values(name="meddler", is_admin=False))
            case "an event":
                self.streams.add(Account(query.user_id)).open("Meddled")
            case None:
                pass
        if query.fails:
            raise ResourceNotFoundError("There is nothing.")
        return user.full_name


@dataclass(frozen=True)
class RenameAndAsk(ICommand[str]):
    """Give a user a name, ask, and bear it if that fails."""

    user_id: UUID
    full_name: str
    question: Meddle
    bears: bool = False


@command_handler(RenameAndAsk)
@transactional()
class RenameAndAskHandler(BaseCommandHandler[RenameAndAsk, str]):
    """Has changed something when it asks, which the query is to see."""

    session: AsyncSession

    async def _handle(self, command: RenameAndAsk) -> str:
        (await self.session.get_one(User, command.user_id)).update(full_name=command.full_name)
        try:
            return (await self.bus.execute_query(command.question)).unwrap()
        except (ConfigurationError, ResourceNotFoundError):
            if command.bears:
                return "It failed."
            raise
