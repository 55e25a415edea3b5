"""Liveness and readiness checks, for load balancers and orchestrators."""

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select
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


@router.head("/live", include_in_schema=False)
@router.get("/live")
async def live() -> Health:
    """The process runs; its dependencies are not checked."""
    return Health(status="alive")


@router.head("/ready", include_in_schema=False)
@router.get("/ready", responses=problems(503))
async def ready(service: Service) -> Health:
    """The service can do its work: the database and its replica answer, and every migration is applied."""
    await _check(await service.container.get(Database), await service.container.get(Revisions))
    return Health(status="ready")


async def _check(database: Database, revisions: Revisions) -> None:
    asked = "The database"
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async with database.latest_engine.connect() as connection:
                record = await connection.run_sync(applied.read)
            record.require_complete(revisions)
            if database.reading_engine is not database.latest_engine:
                asked = "The replica (READ_DATABASE_URL)"
                async with database.reading_engine.connect() as connection:
                    await connection.execute(select(1))
    except ConfigurationError as error:
        raise ServiceUnavailableError(error.message) from error
    except (CQRSError, SQLAlchemyError, TimeoutError) as error:
        raise ServiceUnavailableError(f"{asked} does not answer.") from error
