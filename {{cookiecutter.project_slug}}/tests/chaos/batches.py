"""Many deposits in one transaction, so that events come faster than a relay can deliver them."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseCommandHandler, CQRSBus, ICommand, command_handler, retry_on_failure, transactional
from tests.chaos.bank import Account, accounts, entries
from tests.chaos.ledger import Ledger

WRITERS = 4
IN_ONE = 20


@dataclass(frozen=True)
class DepositMany(ICommand[None]):
    """Pay into accounts, in this order, each deposit under a reference of its own."""

    deposits: Sequence[tuple[UUID, str]]


@command_handler(DepositMany)
@transactional()
@retry_on_failure()
class DepositManyHandler(BaseCommandHandler[DepositMany, None]):
    """Locks the accounts in an order that all agree on."""

    session: AsyncSession

    async def _handle(self, command: DepositMany) -> None:
        ids = {account_id for account_id, _ in command.deposits}
        locked = select(Account).where(accounts.c.id.in_(ids)).order_by(accounts.c.id).with_for_update()
        found = {account.id: account for account in await self.session.scalars(locked)}
        rows = [{"account_id": account_id, "entry": entry} for account_id, entry in command.deposits]
        await self.session.execute(insert(entries), rows)
        for account_id, entry in command.deposits:
            found[account_id].deposit(entry)


class Depositor:
    """Commits deposits, and writes down that they were acknowledged.

    Args:
        bus: that of a service that delivers nothing itself.
        accounts: to pay into, at random.
        dice: says into which.
    """

    def __init__(self, bus: CQRSBus, accounts: Sequence[UUID], dice: random.Random) -> None:
        self._bus = bus
        self._accounts = accounts
        self._dice = dice
        self._numbers = count(1)
        self.ledger = Ledger()

    async def commit(self, how_many: int) -> None:
        """So many deposits, up to 20 in a transaction, and several transactions at once."""
        deposits = [(self._dice.choice(self._accounts), f"entry{next(self._numbers)}") for _ in range(how_many)]
        waiting = iter([deposits[start : start + IN_ONE] for start in range(0, how_many, IN_ONE)])

        async def write() -> None:
            for some in waiting:
                await self.send(some)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITERS):
                tasks.create_task(write())

    async def send(self, deposits: Sequence[tuple[UUID, str]]) -> None:
        """These deposits, in one transaction."""
        (await self._bus.execute_command(DepositMany(deposits))).unwrap()
        self.ledger.acknowledged |= {entry: b"" for _, entry in deposits}
