"""A reaction that raises for as long as somebody holds a grudge against a deposit."""

from sqlalchemy import Column, Table, Text, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, transactional
from tests.chaos.bank import metadata
from tests.chaos.deposited import Deposited

grudges = Table("chaos_grudges", metadata, Column("entry", Text, primary_key=True))


@event_handler(Deposited)
@transactional()
class Complain(BaseEventHandler[Deposited]):
    """Always fails on the same deposits."""

    session: AsyncSession

    async def _handle(self, event: Deposited) -> None:
        if await self.session.scalar(select(exists().where(grudges.c.entry == event.entry))):
            raise ValueError("This deposit is refused here.")
