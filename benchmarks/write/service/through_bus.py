"""The same through the bus: as a plain transactional command, and as one that is protected too."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.errors import answer
from app.api.models import Body, Text
from app.core.cqrs import (
    BaseCommandHandler,
    ICommand,
    OperationResult,
    authorize,
    command_handler,
    idempotent,
    transactional,
)
from app.core.ids import uuid7
from app.dependencies import Bus
from benchmarks.write.service.by_hand import PERMISSION
from benchmarks.write.service.parcels import LONGEST_RECIPIENT, MOST_GRAMS, Parcel, ParcelAnswer

router = APIRouter()


@dataclass(frozen=True)
class SendParcelCommand(ICommand[UUID]):
    """Send a parcel; the answer is its id."""

    recipient: str
    grams: int

    def validate(self) -> dict[str, str]:
        """The rules for each field."""
        problems: dict[str, str] = {}
        if not 0 < len(self.recipient) <= LONGEST_RECIPIENT:
            problems["recipient"] = f"must have 1 to {LONGEST_RECIPIENT} characters"
        if not 0 < self.grams <= MOST_GRAMS:
            problems["grams"] = f"must be 1 to {MOST_GRAMS}"
        return problems


@dataclass(frozen=True)
class SendProtectedParcelCommand(SendParcelCommand):
    """The same, for those who may, and once for each key."""


@command_handler(SendParcelCommand)
@transactional()
class SendParcelHandler(BaseCommandHandler[SendParcelCommand, UUID]):
    """Send a parcel."""

    session: AsyncSession

    async def _handle(self, command: SendParcelCommand) -> OperationResult[UUID]:
        return self.created(_sent(self.session, command))


@command_handler(SendProtectedParcelCommand)
@transactional()
@authorize([PERMISSION])
@idempotent(required=True)
class SendProtectedParcelHandler(BaseCommandHandler[SendProtectedParcelCommand, UUID]):
    """Send a parcel, for those who may, and once for each key."""

    session: AsyncSession

    async def _handle(self, command: SendProtectedParcelCommand) -> OperationResult[UUID]:
        return self.created(_sent(self.session, command))


def _sent(session: AsyncSession, command: SendParcelCommand) -> UUID:
    parcel = Parcel(uuid7(), command.recipient, command.grams)
    session.add(parcel)
    return parcel.id


class ParcelToSend(Body):
    """What is sent; the rules beyond types are the command's."""

    recipient: Text
    grams: int


@router.post("/through-bus", status_code=201, response_model=ParcelAnswer)
async def send_through_bus(body: ParcelToSend, bus: Bus) -> Response:
    """Send a parcel."""
    result = await bus.execute_command(SendParcelCommand(**body.model_dump()))
    return answer(result, lambda parcel_id: {"parcel_id": parcel_id})


@router.post("/protected", status_code=201, response_model=ParcelAnswer)
async def send_protected(body: ParcelToSend, bus: Bus) -> Response:
    """Send a parcel, for those who may, and once for each key."""
    result = await bus.execute_command(SendProtectedParcelCommand(**body.model_dump()))
    return answer(result, lambda parcel_id: {"parcel_id": parcel_id})
