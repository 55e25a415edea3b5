"""Liveness and readiness checks, for load balancers and orchestrators."""

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from app.api.document import problems
from app.core.cqrs import ConfigurationError, CQRSError, ServiceUnavailableError
from app.dependencies import Service
from app.persistence.engine.database import Database
from app.persistence.schema import applied
from app.persistence.schema.revisions import Revisions

PATIENCE_SECONDS = 2.0
router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """The state of the service."""

    status: str


@router.get("/live")
async def live() -> Health:
    """The process runs; its dependencies are not checked."""
    return Health(status="alive")


@router.get("/ready", responses=problems(503))
async def ready(service: Service) -> Health:
    """The service can do its work: the database answers, and every migration is applied."""
    await _check(await service.container.get(Database), await service.container.get(Revisions))
    return Health(status="ready")


async def _check(database: Database, revisions: Revisions) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), database.reading_engine.connect() as connection:
            record = await connection.run_sync(applied.read)
        record.require_complete(revisions)
    except ConfigurationError as error:
        raise ServiceUnavailableError(error.message) from error
    except (CQRSError, SQLAlchemyError, TimeoutError) as error:
        raise ServiceUnavailableError("The database does not answer.") from error
