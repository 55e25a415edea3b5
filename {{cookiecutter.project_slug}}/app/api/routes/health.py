"""Whether the process is alive, and whether it can do its work: for load balancers and orchestrators."""

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core.cqrs import CQRSError, ServiceUnavailableError
from app.dependencies import Service
from app.persistence.database import Database

PATIENCE_SECONDS = 2.0
router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """How the service is."""

    status: str


@router.get("/live")
async def live() -> Health:
    """The process runs; it is not asked about anything it depends on."""
    return Health(status="alive")


@router.get("/ready")
async def ready(service: Service) -> Health:
    """The service can do its work: the database answers, and its tables are there."""
    await _check(await service.container.get(Database))
    return Health(status="ready")


async def _check(database: Database) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), database.reading() as session:
            await session.execute(text("SELECT version_num FROM alembic_version"))
    except (CQRSError, SQLAlchemyError, TimeoutError) as error:
        raise ServiceUnavailableError("The database does not answer, or was never migrated.") from error
