"""A part of the bank that one version of the service has, and another has not."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import (
    BaseCommandHandler,
    BaseEventHandler,
    DomainEvent,
    ICommand,
    command_handler,
    event_handler,
    transactional,
)
from tests.chaos.bank import Account, effects


@dataclass(frozen=True, kw_only=True)
class Labelled(DomainEvent):
    """An account was given a label."""

    event_type: ClassVar[str] = "chaos.Labelled"
    label: str


@dataclass(frozen=True)
class LabelAccount(ICommand[None]):
    """Give an account a label."""

    account_id: UUID
    label: str


@command_handler(LabelAccount)
@transactional()
class LabelAccountHandler(BaseCommandHandler[LabelAccount, None]):
    """Only the event knows the label."""

    session: AsyncSession

    async def _handle(self, command: LabelAccount) -> None:
        account = await self.session.get_one(Account, command.account_id)
        account.raise_event(Labelled(label=command.label))


@event_handler(Labelled)
@transactional()
class NoteLabel(BaseEventHandler[Labelled]):
    """The effect of a label."""

    session: AsyncSession

    async def _handle(self, event: Labelled) -> None:
        await self.session.execute(insert(effects).values(event_id=event.event_id, entry=event.label))
