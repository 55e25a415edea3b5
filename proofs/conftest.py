from collections.abc import AsyncIterator

import pytest

from app.composition.container import RunningService
from app.core.config import Settings
from tests.field import given
from tests.lifespan import service_with


@pytest.fixture
async def given_service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service with the handlers of `tests.field.given`."""
    few = settings.model_copy(update={"database_pool_size": 5, "database_pool_timeout_seconds": 25.0})
    async with service_with(few, ("app.handlers", "tests.field.given")) as running:
        yield running
    given.inside.clear()
    given.after.clear()
