"""Commands that do to the database what a service may do, and what it should not."""

import asyncio
import gc
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    BaseQueryHandler,
    BusinessRuleViolationError,
    ICommand,
    IQuery,
    command_handler,
    event_handler,
    query_handler,
    retry_on_failure,
    transactional,
)
from app.core.ids import uuid7
from app.domain.user import User
from app.domain.user_events import UserUpdated
from app.persistence.repositories.user_repository import UserRepository
from app.persistence.tables import registrations, users
from tests.support.attempts import Attempts


@dataclass(frozen=True)
class Lengthen(ICommand[int]):
    """Add a letter to a name, so many times: each but the last dispatches the next inside its transaction."""

    user_id: UUID
    times: int = 1


@command_handler(Lengthen)
@transactional()
class LengthenHandler(BaseCommandHandler[Lengthen, int]):
    """Answers the version of the user."""

    users: UserRepository

    async def _handle(self, command: Lengthen) -> int:
        user = await self.users.locked(command.user_id)
        user.update(full_name=user.full_name + "x")
        if command.times > 1:
            await self.bus.execute_command(Lengthen(command.user_id, command.times - 1))
        return user.version


@dataclass(frozen=True)
class LengthenUnlocked(ICommand[int]):
    """The same, reading without a lock: somebody may change the user in between."""

    user_id: UUID
    meet: asyncio.Barrier = field(compare=False)


@command_handler(LengthenUnlocked)
@transactional(isolation_level="REPEATABLE_READ")
class LengthenUnlockedHandler(BaseCommandHandler[LengthenUnlocked, int]):
    """Meets the others after reading, so that all have read the same."""

    session: AsyncSession

    async def _handle(self, command: LengthenUnlocked) -> int:
        user = await self.session.get_one(User, command.user_id)
        await command.meet.wait()
        user.update(full_name=user.full_name + "x")
        return user.version


@dataclass(frozen=True)
class WriteThen(ICommand[None]):
    """Write a row, then fail, wait, or go on."""

    error: Exception | None = None
    wait: asyncio.Event | None = None
    written: asyncio.Event = field(default_factory=asyncio.Event)


class WriteThenBase(BaseCommandHandler[WriteThen, None]):
    """Writes a row that no aggregate knows of."""

    session: AsyncSession

    async def _handle(self, command: WriteThen) -> None:
        row = {"event_id": uuid7(), "registered_at": command.metadata.timestamp}
        await self.session.execute(insert(registrations).values(row))
        command.written.set()
        if command.wait is not None:
            await command.wait.wait()
        if command.error is not None:
            raise command.error


@command_handler(WriteThen)
@transactional(rollback_on=(BusinessRuleViolationError,))
class WriteThenHandler(WriteThenBase):
    """Keeps what it wrote before a domain error, but not before a violated rule."""


@dataclass(frozen=True)
class WriteOutside(ICommand[None]):
    """Write without a transaction."""

    how: str
    user_id: UUID


@command_handler(WriteOutside)
class WriteOutsideHandler(BaseCommandHandler[WriteOutside, None]):
    """Somebody forgot @transactional."""

    session: AsyncSession

    async def _handle(self, command: WriteOutside) -> None:
        user = await self.session.get_one(User, command.user_id)
        match command.how:
            case "statement":
                await self.session.execute(update(users).values(full_name="changed"))
            case "aggregate":
                user.update(full_name="changed")
            case "flush":
                user.update(full_name="changed")
                await self.session.flush()
            case "delete":
                await self.session.delete(user)
            case "sql":
                await self.session.execute(text("DELETE FROM users"))


@dataclass(frozen=True)
class Sleep(IQuery[None]):
    """Keep a connection."""

    connected: asyncio.Event
    until: asyncio.Event


@query_handler(Sleep)
class SleepHandler(BaseQueryHandler[Sleep, None]):
    """Reads, and then does nothing for a while."""

    session: AsyncSession

    async def _handle(self, query: Sleep) -> None:
        await self.session.execute(select(users.c.id))
        query.connected.set()
        await query.until.wait()


@dataclass(frozen=True)
class Collide(ICommand[int]):
    """Fail so many times as databases do, then succeed; answers how many attempts it took."""

    failures: int
    attempts: Attempts = field(default_factory=Attempts)


@command_handler(Collide)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.001)
class CollideHandler(BaseCommandHandler[Collide, int]):
    """On PostgreSQL the failure is a real 40001, raised by the server."""

    session: AsyncSession

    async def _handle(self, command: Collide) -> int:
        row = {"event_id": uuid7(), "registered_at": command.metadata.timestamp}
        await self.session.execute(insert(registrations).values(row))
        command.attempts.number += 1
        if command.attempts.number <= command.failures:
            await self.session.execute(text("DO $$ BEGIN RAISE 'collision' USING ERRCODE = '40001'; END $$"))
        return command.attempts.number


@dataclass(frozen=True)
class ChangeAndForget(ICommand[None]):
    """Change a user, hold nothing, and do something else for a while."""

    user_id: UUID


@command_handler(ChangeAndForget)
@transactional()
class ChangeAndForgetHandler(BaseCommandHandler[ChangeAndForget, None]):
    """The user is written and not held by anybody here when the garbage collector comes."""

    users: UserRepository

    async def _handle(self, command: ChangeAndForget) -> None:
        (await self.users.locked(command.user_id)).update(full_name="changed")
        await self.users._session.flush()
        gc.collect()


seen_in_transaction: list[str] = []


@event_handler(UserUpdated, in_transaction=True)
class SeeUpdate(BaseEventHandler[UserUpdated]):
    """Sees the state as the command left it, before the commit."""

    session: AsyncSession

    async def _handle(self, event: UserUpdated) -> None:
        name = await self.session.scalar(select(users.c.full_name).where(users.c.id == event.user_id))
        seen_in_transaction.append(str(name))
