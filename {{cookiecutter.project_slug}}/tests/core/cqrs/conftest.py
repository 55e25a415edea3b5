from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from app.core.cqrs import registry
from app.core.cqrs.testing import MemoryBus


def pytest_collection_finish() -> None:
    """Forget the handlers that test modules declared: several of them are for the same message."""
    service = [handler for handler in registry.declared_handlers if not handler.__module__.startswith("tests.")]
    registry.declared_handlers[:] = service


@pytest.fixture(autouse=True)
def _declarations_of_the_test_alone() -> Iterator[None]:
    """What a test declares is forgotten after it: the process's own bus would take every handler ever declared."""
    before = list(registry.declared_handlers)
    yield
    registry.declared_handlers[:] = before


@pytest.fixture
async def cqrs_bus() -> AsyncIterator[MemoryBus]:
    """A bus on fakes; a handler is registered by `cqrs_bus.register(CreateUserHandler)`."""
    async with MemoryBus() as bus:
        yield bus


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged in the test."""
    with structlog.testing.capture_logs() as entries:
        yield entries
