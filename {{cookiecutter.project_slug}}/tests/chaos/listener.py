"""Another service, which hears of the bank's deposits over the broker, in two handlers: one is slow."""

import asyncio
import random
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from sqlalchemy import Column, Integer, Table, Text, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, DomainEvent, event_handler, transactional
from tests.chaos.bank import metadata

BANK = "chaos-bank"
SLOWEST_SECONDS = 0.1

heard = Table(
    "chaos_heard",
    metadata,
    Column("place", Integer, primary_key=True),
    Column("handler", Text, nullable=False),
    Column("entry", Text, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class DepositedElsewhere(DomainEvent):
    """Money was paid in at the bank."""

    event_type: ClassVar[str] = "chaos.Deposited"
    event_source: ClassVar[str | None] = BANK
    account_id: UUID
    entry: str


class Hear(BaseEventHandler[DepositedElsewhere]):
    """Leaves a mark for each deposit, again if it is told again."""

    session: AsyncSession

    async def _handle(self, event: DepositedElsewhere) -> None:
        await self.session.execute(insert(heard).values(handler=type(self).__name__, entry=event.entry))


@event_handler(DepositedElsewhere)
@transactional()
class HearAtOnce(Hear):
    """Takes no time."""


@event_handler(DepositedElsewhere)
@transactional()
class HearSlowly(Hear):
    """Takes its time, now more and now less of it."""

    async def _handle(self, event: DepositedElsewhere) -> None:
        await asyncio.sleep(random.uniform(0, SLOWEST_SECONDS))  # no secret
        await super()._handle(event)
