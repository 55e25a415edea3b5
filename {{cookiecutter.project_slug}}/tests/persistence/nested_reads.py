"""What reads something first, and asks a query then."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    ICommand,
    IQuery,
    authorize,
    cached_query,
    command_handler,
    query_handler,
    transactional,
)
from app.persistence.engine.sessions import at_one_moment
from app.persistence.tables import roles

COUNT = select(func.count()).select_from(roles)


@dataclass(frozen=True)
class CountRoles(IQuery[int]):
    """How many roles there are."""


@query_handler(CountRoles)
@cached_query(scope="public")
class CountRolesHandler(BaseQueryHandler[CountRoles, int]):
    """Needs a connection for what is not kept."""

    session: AsyncSession

    async def _handle(self, query: CountRoles) -> int:
        return await self.session.scalar(COUNT) or 0


@dataclass(frozen=True)
class ReadThenAsk(IQuery[Any]):
    """Read, meet the others, meet them once more, and ask."""

    user_id: UUID
    question: IQuery[Any]
    meet: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(1))
    at_one_moment: bool = False
    reads: bool = True


@query_handler(ReadThenAsk)
@authorize(["user:read"], resource_id_field="user_id")
class ReadThenAskHandler(BaseQueryHandler[ReadThenAsk, Any]):
    """Has a connection while it asks, and what it read may be old by then."""

    session: AsyncSession

    async def _handle(self, query: ReadThenAsk) -> Any:
        if query.at_one_moment:
            await at_one_moment(self.session)
        if query.reads:
            await self.session.scalar(COUNT)
        for _ in range(2):
            await query.meet.wait()
        return (await self.bus.execute_query(query.question)).unwrap()


@dataclass(frozen=True)
class AskAtALevel(ICommand[str]):
    """Ask, in a transaction."""

    question: IQuery[Any]


@command_handler(AskAtALevel)
@transactional()
class AskAtALevelHandler(BaseCommandHandler[AskAtALevel, str]):
    """Answers the isolation level of its transaction."""

    session: AsyncSession

    async def _handle(self, command: AskAtALevel) -> str:
        await self.bus.execute_query(command.question)
        return str(await self.session.scalar(text("SHOW transaction_isolation")))
