"""`self.conflict(...)` and the like end the handler, returned or not: an answer that nobody gives is no answer."""

from dataclasses import dataclass

import pytest

from app.composition.container import HANDLERS
from app.core.config import Settings
from app.core.cqrs import (
    BaseCommandHandler,
    BaseQueryHandler,
    CommandResult,
    ConflictError,
    ICommand,
    IQuery,
    OperationStatus,
    QueryResult,
    ResourceNotFoundError,
    command_handler,
    query_handler,
    transactional,
)
from app.core.cqrs.testing import MemoryBus
from app.handlers.user.get_user_handler import GetUserQuery
from support import renaming
from tests.core.cqrs.test_handlers import REFUSALS
from tests.lifespan import service_with
from tests.users import People


@dataclass(frozen=True)
class Pay(ICommand[str]):
    refusal: str


@command_handler(Pay)
@transactional(rollback_on=[ResourceNotFoundError])
class PayHandler(BaseCommandHandler[Pay, str]):
    async def _handle(self, command: Pay) -> str:
        getattr(self, command.refusal)("Not today.", {"amount": "is too high"})
        return "paid"


@dataclass(frozen=True)
class Look(IQuery[str]):
    refusal: str


@query_handler(Look)
class LookHandler(BaseQueryHandler[Look, str]):
    async def _handle(self, query: Look) -> str:
        getattr(self, query.refusal)("Not today.", {"amount": "is too high"})
        return "seen"


@dataclass(frozen=True)
class PayTwice(ICommand[list[str]]):
    refusal: str


@command_handler(PayTwice)
class PayTwiceHandler(BaseCommandHandler[PayTwice, list[str]]):
    async def _handle(self, command: PayTwice) -> list[str]:
        try:
            await self.bus.execute_command(Pay(command.refusal))
        except ConflictError as error:
            return [error.message, *error.details]
        return []


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refusal_that_is_not_returned_refuses(refusal: str) -> None:
    bus = MemoryBus(PayHandler, LookHandler)
    paid, seen = await bus.execute_command(Pay(refusal)), await bus.execute_query(Look(refusal))
    for result, result_type in ((paid, CommandResult), (seen, QueryResult)):
        assert type(result) is result_type
        assert (result.status, result.error_message) == (REFUSALS[refusal], "Not today.")
        assert result.errors == {"amount": "is too high"}
        assert result.metadata is not None
    assert bus.units.journal == ["begin", "rollback"], "a failed result is never kept, whatever rollback_on says"


async def test_inside_another_handler_it_is_the_error_of_its_status() -> None:
    bus = MemoryBus(PayHandler, PayTwiceHandler)
    assert (await bus.execute_command(PayTwice("conflict"))).data == ["Not today.", "amount"]


async def test_called_by_hand_it_raises_too() -> None:
    with pytest.raises(ConflictError, match=r"Not today\.") as raised:
        await PayHandler()._handle(Pay("conflict"))
    assert raised.value.details == {"amount": "is too high"}


@pytest.mark.parametrize("returned", [True, False])
async def test_nothing_is_stored_of_a_handler_that_refuses(settings: Settings, returned: bool) -> None:
    async with service_with(settings, (HANDLERS, renaming.__name__)) as service:
        ada = await People(service.bus).member()
        refused = await ada.command(renaming.RenameCommand(ada.id, "Grace", returned))
        assert (refused.status, refused.error_message) == (OperationStatus.CONFLICT, "This name is taken.")
        assert (await ada.query(GetUserQuery(ada.id))).unwrap().full_name == "Ada Lovelace"
