"""An aggregate that is kept as its events alone, and what may be done to it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    BusinessRuleViolationError,
    DomainEvent,
    EventSourcedAggregate,
    ICommand,
    IQuery,
    ResourceNotFoundError,
    command_handler,
    query_handler,
    retry_on_failure,
    savepoint,
    transactional,
)
from app.persistence.events.event_sourcing import EventStreams


@dataclass(frozen=True, kw_only=True)
class AccountOpened(DomainEvent):
    """Somebody opened an account."""

    owner: str


@dataclass(frozen=True, kw_only=True)
class AmountBooked(DomainEvent):
    """Something was paid in, or out."""

    amount: int


class Account(EventSourcedAggregate):
    """An account that is never overdrawn."""

    aggregate_type = "Account"

    owner = ""
    balance = 0

    def open(self, owner: str) -> None:
        """Open it."""
        self.raise_event(AccountOpened(owner=owner))

    def book(self, amount: int) -> None:
        """Pay in, or out."""
        if self.balance + amount < 0:
            raise BusinessRuleViolationError("There is not enough in the account.")
        self.raise_event(AmountBooked(amount=amount))

    def apply(self, event: DomainEvent) -> None:
        """Be what the events say."""
        match event:
            case AccountOpened():
                self.owner = event.owner
            case AmountBooked():
                self.balance += event.amount


@dataclass(frozen=True)
class OpenAccount(ICommand[None]):
    """Open an account."""

    account_id: UUID
    owner: str = "Ada"


@command_handler(OpenAccount)
@transactional()
class OpenAccountHandler(BaseCommandHandler[OpenAccount, None]):
    """Opens it."""

    streams: EventStreams

    async def _handle(self, command: OpenAccount) -> None:
        self.streams.add(Account(command.account_id)).open(command.owner)


@dataclass(frozen=True)
class Book(ICommand[int]):
    """Book an amount, so many times: each but the last dispatches the next inside its transaction."""

    account_id: UUID
    amount: int
    times: int = 1
    meet: asyncio.Barrier | None = field(default=None, compare=False)


@command_handler(Book)
@transactional()
class BookHandler(BaseCommandHandler[Book, int]):
    """Books it, and answers the balance; meets others after reading, so that all have read the same."""

    streams: EventStreams

    async def _handle(self, command: Book) -> int:
        account = await self.streams.load(Account, command.account_id)
        if command.meet is not None:
            await command.meet.wait()
        account.book(command.amount)
        if command.times > 1:
            await self.bus.execute_command(Book(command.account_id, command.amount, command.times - 1))
        return account.balance


@dataclass(frozen=True)
class OpenOrBook(ICommand[int]):
    """Book an amount, and open the account if there is none."""

    account_id: UUID
    amount: int
    meet: asyncio.Barrier = field(compare=False)


@command_handler(OpenOrBook)
@transactional()
@retry_on_failure(max_attempts=2, delay_seconds=0)
class OpenOrBookHandler(BaseCommandHandler[OpenOrBook, int]):
    """Books it; those who find no account meet before they open it, so that all of them do."""

    streams: EventStreams

    async def _handle(self, command: OpenOrBook) -> int:
        try:
            account = await self.streams.load(Account, command.account_id)
        except ResourceNotFoundError:
            await command.meet.wait()
            account = self.streams.add(Account(command.account_id))
            account.open("Ada")
        account.book(command.amount)
        return account.balance


@dataclass(frozen=True)
class BookTogether(ICommand[int]):
    """Book all amounts or none, then a fee in any case."""

    account_id: UUID
    amounts: tuple[int, ...]
    fee: int = 0


@command_handler(BookTogether)
@transactional()
class BookTogetherHandler(BaseCommandHandler[BookTogether, int]):
    """Books them in a savepoint."""

    streams: EventStreams

    async def _handle(self, command: BookTogether) -> int:
        account = await self.streams.load(Account, command.account_id)
        with suppress(BusinessRuleViolationError):
            async with savepoint():
                for amount in command.amounts:
                    await self.bus.execute_command(Book(command.account_id, amount))
        account.book(-command.fee)
        return account.balance


@dataclass(frozen=True)
class OpenAndRegret(ICommand[None]):
    """Open an account in a savepoint that is rolled back, and use it."""

    account_id: UUID
    is_loaded: bool = True


@command_handler(OpenAndRegret)
@transactional()
class OpenAndRegretHandler(BaseCommandHandler[OpenAndRegret, None]):
    """Opens it."""

    streams: EventStreams

    async def _handle(self, command: OpenAndRegret) -> None:
        account = Account(command.account_id)
        with suppress(BusinessRuleViolationError):
            async with savepoint():
                self.streams.add(account).open("Ada")
                account.book(-1)
        if command.is_loaded:
            account = await self.streams.load(Account, command.account_id)
        account.book(1)


@dataclass(frozen=True)
class AskBalance(IQuery[tuple[str, int, int]]):
    """Whose the account is, what is in it, and how often something happened to it."""

    account_id: UUID
    book: int = 0


@query_handler(AskBalance)
class AskBalanceHandler(BaseQueryHandler[AskBalance, tuple[str, int, int]]):
    """Reads it, and may forget that queries change nothing."""

    streams: EventStreams

    async def _handle(self, query: AskBalance) -> tuple[str, int, int]:
        account = await self.streams.load(Account, query.account_id)
        if query.book:
            account.book(query.book)
        return account.owner, account.balance, account.version
