from collections.abc import AsyncIterator

import pytest

from app.composition.container import RunningService
from app.core.config import Settings
from app.persistence.engine.database import Database
from tests.lifespan import service_with
from tests.persistence import votes


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service with the commands of these tests, and few connections."""
    few = settings.model_copy(update={"database_pool_size": 5, "database_pool_timeout_seconds": 25.0})
    async with service_with(few, ("app.handlers", "tests.persistence.commands")) as running:
        yield running


@pytest.fixture
async def election(database: Database) -> AsyncIterator[None]:
    """The tables of the read model that tests of projections have."""
    async with database.writing_engine.begin() as connection:
        await connection.run_sync(votes.metadata.create_all)
    yield
    async with database.writing_engine.begin() as connection:
        await connection.run_sync(votes.metadata.drop_all)
