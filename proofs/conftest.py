"""What proofs have: the fixtures of the service's own tests, and a service whose handlers do as a test says."""

from collections.abc import AsyncIterator

import pytest

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import plan
from support import given
from tests.lifespan import service_with

pytest_plugins = ["tests.conftest", "tests.domain.conftest", "tests.telemetry.conftest"]


@pytest.fixture
async def given_service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service with the handlers of `support.given`."""
    few = settings.model_copy(update={"database_pool_size": 5, "database_pool_timeout_seconds": 25.0})
    async with service_with(few, ("app.handlers", "support.given")) as running:
        yield running
    given.inside.clear()
    given.after.clear()


def pytest_collection_finish() -> None:
    """Forget the handlers that test modules declared: several of them are for the same message."""
    plan.declared_handlers[:] = [one for one in plan.declared_handlers if one.__module__.startswith("app.")]
