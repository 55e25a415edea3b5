"""The service with the bank and the crash points: `uvicorn --factory tests.chaos.service:create_app`."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from app import main
from app.api.errors import answer
from app.composition.container import HANDLERS, running_service
from app.dependencies import Bus
from tests.chaos import bank, crash


class Deposit(BaseModel):
    """What is paid in: one, under this reference."""

    entry: Annotated[str, Field(min_length=1, max_length=100)]


KINDS: dict[str, type[bank.DepositCommand]] = {
    "locked": bank.DepositLocked,
    "versioned": bank.DepositVersioned,
    "serializable": bank.DepositSerializable,
}
router = APIRouter(prefix="/chaos")


@router.post("/accounts/{account_id}/{kind}")
async def deposit(account_id: UUID, kind: str, body: Deposit, bus: Bus) -> Response:
    """Pay one into an account."""
    return answer(await bus.execute_command(KINDS[kind](account_id, body.entry)))


def create_app() -> FastAPI:
    """The application as it is in production, with one more package of handlers and one more router."""
    crash.install(bank.DepositLockedHandler)
    main.running_service = partial(running_service, handlers=(HANDLERS, *bank.PACKAGES))  # type: ignore[attr-defined]
    app = main.create_app()
    app.include_router(router)
    app.add_middleware(crash.CrashPoints)
    return app
