"""Use cases of a team that forgot who may, or misspelt it."""

from dataclasses import dataclass
from uuid import UUID

from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    ICommand,
    IQuery,
    authorize,
    command_handler,
    query_handler,
    transactional,
)


@dataclass(frozen=True)
class OpenSafe(ICommand[None]):
    """An order."""


@command_handler(OpenSafe)
@transactional()
class OpenSafeHandler(BaseCommandHandler[OpenSafe, None]):
    """Protected from everything but strangers."""

    async def _handle(self, command: OpenSafe) -> None: ...


@dataclass(frozen=True)
class CountMoney(IQuery[int]):
    """A question."""


@query_handler(CountMoney)
class CountMoneyHandler(BaseQueryHandler[CountMoney, int]):
    """Answers strangers."""

    async def _handle(self, query: CountMoney) -> int:
        return 7


class Guarded:
    """A name that promises something."""


@dataclass(frozen=True)
class BurnBooks(ICommand[None]):
    """Another order."""


@command_handler(BurnBooks)
class BurnBooksHandler(Guarded, BaseCommandHandler[BurnBooks, None]):
    """Looks protected."""

    async def _handle(self, command: BurnBooks) -> None: ...


@dataclass(frozen=True)
class ReadLedger(IQuery[str]):
    """A question about somebody."""

    owner_id: UUID


@query_handler(ReadLedger)
@authorize(permissions=["user:raed", "user:read"])
class ReadLedgerHandler(BaseQueryHandler[ReadLedger, str]):
    """A typo."""

    async def _handle(self, query: ReadLedger) -> str:
        return ""


@dataclass(frozen=True)
class ChangeLedger(ICommand[None]):
    """A change for somebody."""

    owner_id: UUID


@command_handler(ChangeLedger)
@authorize(permissions=["ledger:change:own"], resource_id_field="owner_id")
class ChangeLedgerHandler(BaseCommandHandler[ChangeLedger, None]):
    """A permission that nobody was granted."""

    async def _handle(self, command: ChangeLedger) -> None: ...


@dataclass(frozen=True)
class ChangeEverything(ICommand[None]):
    """A change for everybody."""


@command_handler(ChangeEverything)
@authorize(permissions=["diary:write"])
class ChangeEverythingHandler(BaseCommandHandler[ChangeEverything, None]):
    """A role has `diary:write:own`, but there is no field that says whose it is."""

    async def _handle(self, command: ChangeEverything) -> None: ...
