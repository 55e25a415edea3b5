from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from app.core.cqrs import plan


def pytest_collection_finish() -> None:
    """Forget the handlers that test modules declared: several of them are for the same message."""
    service = [handler for handler in plan.declared_handlers if not handler.__module__.startswith("tests.")]
    plan.declared_handlers[:] = service


@pytest.fixture(autouse=True)
def _declarations_of_the_test_alone() -> Iterator[None]:
    """What a test declares is forgotten after it: the process's own bus would take every handler ever declared."""
    before = list(plan.declared_handlers)
    yield
    plan.declared_handlers[:] = before


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged in the test."""
    with structlog.testing.capture_logs() as entries:
        yield entries
