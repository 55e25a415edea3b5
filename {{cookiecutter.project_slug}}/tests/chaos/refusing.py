"""A handler of deposits that fails whatever comes, and one beside it that notes how late it hears of each."""

from datetime import UTC, datetime

from sqlalchemy import Column, Float, Table, Uuid, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseEventHandler, event_handler, transactional
from tests.chaos.bank import metadata
from tests.chaos.deposited import Deposited

lags = Table(
    "chaos_lags",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("seconds", Float, nullable=False),
)


@event_handler(Deposited)
class Refuse(BaseEventHandler[Deposited]):
    """Stands for a receiver that is away for the whole day."""

    async def _handle(self, event: Deposited) -> None:
        raise ValueError("Nothing is taken here.")


@event_handler(Deposited)
@transactional()
class NoteLag(BaseEventHandler[Deposited]):
    """How long ago the deposit was."""

    session: AsyncSession

    async def _handle(self, event: Deposited) -> None:
        seconds = (datetime.now(UTC) - event.occurred_at).total_seconds()
        await self.session.execute(insert(lags).values(event_id=event.event_id, seconds=seconds))
