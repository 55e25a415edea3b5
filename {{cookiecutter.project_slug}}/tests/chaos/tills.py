"""Accounts as tills see them: a balance that is looked up slowly and kept, and money that makes it stale."""

import asyncio
import random
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    ICommand,
    IQuery,
    cached_query,
    command_handler,
    invalidates,
    query_handler,
    retry_on_failure,
    transactional,
)
from tests.chaos.bank import accounts

SLOWEST_SECONDS = 0.02


@dataclass(frozen=True)
class LookUpBalance(IQuery[int]):
    """Look up what is on an account."""

    account_id: UUID


@query_handler(LookUpBalance)
@cached_query(tags=["balance:{account_id}"])
class LookUpBalanceHandler(BaseQueryHandler[LookUpBalance, int]):
    """Answers a while after it has read, so that what it has read may be stale by then."""

    session: AsyncSession

    async def _handle(self, query: LookUpBalance) -> int:
        balance = await self.session.scalar(select(accounts.c.balance).where(accounts.c.id == query.account_id))
        await asyncio.sleep(random.uniform(0, SLOWEST_SECONDS))
        return balance or 0


@dataclass(frozen=True)
class PayIn(ICommand[int]):
    """Pay one into an account; the answer is its new balance."""

    account_id: UUID


@command_handler(PayIn)
@transactional()
@retry_on_failure(max_attempts=20, delay_seconds=0.01)
@invalidates("balance:{account_id}")
class PayInHandler(BaseCommandHandler[PayIn, int]):
    """One more."""

    session: AsyncSession

    async def _handle(self, command: PayIn) -> int:
        one_more = update(accounts).where(accounts.c.id == command.account_id).values(balance=accounts.c.balance + 1)
        return await self.session.scalar(one_more.returning(accounts.c.balance)) or 0
