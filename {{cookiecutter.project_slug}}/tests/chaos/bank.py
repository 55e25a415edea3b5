"""Accounts that money is paid into: the use cases that chaos is done to, with tables of their own.

A deposit leaves three marks, which have to agree: the balance, an entry, and an event. Nothing in the tables forbids
an entry to be there twice, so that a second effect is seen and not refused.
"""

import asyncio
from abc import ABC
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import registry

from app.core.cqrs import (
    AggregateRoot,
    BaseCommandHandler,
    BaseEventHandler,
    ConcurrencyError,
    ICommand,
    TransientError,
    command_handler,
    event_handler,
    idempotent,
    retry_on_failure,
    transactional,
)
from tests.chaos import deposited
from tests.chaos.deposited import Deposited

PACKAGES = (__name__, deposited.__name__)
"""Where its handlers are, and its event."""
ELSEWHERE_SECONDS = 0.005
LONGEST_SECONDS = 90.0
"""Twenty attempts take their time where two hundred callers want the same."""

metadata = MetaData()
accounts = Table(
    "chaos_accounts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("balance", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)
entries = Table("chaos_entries", metadata, Column("entry", Text, nullable=False), Column("account_id", Uuid))
effects = Table(
    "chaos_effects",
    metadata,
    Column("place", Integer, primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("entry", Text),
)


class Account(AggregateRoot):
    """An account."""

    id: UUID
    balance: int

    def deposit(self, entry: str) -> None:
        """Pay one in."""
        self.balance += 1
        self.raise_event(Deposited(account_id=self.id, entry=entry))


registry(metadata=metadata).map_imperatively(
    Account, accounts, version_id_col=accounts.c.version, version_id_generator=False
)


@dataclass(frozen=True)
class DepositCommand(ICommand[str], ABC):
    """Pay one into an account, under a reference that names this deposit and no other; it is the answer."""

    account_id: UUID
    entry: str


class DepositHandler(BaseCommandHandler[DepositCommand, str]):
    """Reads the account, and writes all three marks."""

    session: AsyncSession
    locked: ClassVar[bool] = False

    async def _handle(self, command: DepositCommand) -> str:
        account = await self.session.get_one(Account, command.account_id, with_for_update=self.locked or None)
        await self.session.execute(insert(entries).values(entry=command.entry, account_id=account.id))
        account.deposit(command.entry)
        return command.entry


class DepositLocked(DepositCommand):
    """The account is locked before it is read: everybody waits for their turn."""


@command_handler(DepositLocked)
@transactional()
@retry_on_failure()
@idempotent()
class DepositLockedHandler(DepositHandler):
    """With the policies as they are by default."""

    locked = True


class DepositVersioned(DepositCommand):
    """Nothing is locked: who comes second finds another version of the account, and starts again."""


@command_handler(DepositVersioned, timeout_seconds=LONGEST_SECONDS)
@transactional()
@retry_on_failure(
    max_attempts=20, delay_seconds=0.1, backoff_multiplier=1.2, retry_on=[ConcurrencyError, TransientError]
)
class DepositVersionedHandler(DepositHandler):
    """Conflicts are worth another attempt here."""


class DepositSerializable(DepositCommand):
    """The database finds out who comes second, and they start again."""


@command_handler(DepositSerializable, timeout_seconds=LONGEST_SECONDS)
@transactional(isolation_level="SERIALIZABLE")
@retry_on_failure(max_attempts=20, delay_seconds=0.1, backoff_multiplier=1.2)
class DepositSerializableHandler(DepositHandler):
    """The default errors to retry after are enough."""


class DepositNested(DepositCommand):
    """One command inside another."""


@command_handler(DepositNested)
@transactional()
@retry_on_failure()
class DepositNestedHandler(BaseCommandHandler[DepositNested, str]):
    """Dispatches one more command inside its transaction, and then waits for something that is no database."""

    async def _handle(self, command: DepositNested) -> str:
        result = await self.bus.execute_command(DepositLocked(command.account_id, command.entry))
        await asyncio.sleep(ELSEWHERE_SECONDS)
        return result.unwrap()


@event_handler(Deposited)
@transactional()
class NoteEffect(BaseEventHandler[Deposited]):
    """What a deposit causes after its commit."""

    session: AsyncSession

    async def _handle(self, event: Deposited) -> None:
        await self.session.execute(insert(effects).values(event_id=event.event_id, entry=event.entry))
