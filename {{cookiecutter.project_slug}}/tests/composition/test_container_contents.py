"""What the container holds: how long each thing lives, who makes it, and the bus for whoever is no handler."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from app import adapters
from app.composition import wiring
from app.composition.container import running_service
from app.core.config import Settings
from app.core.cqrs import Cache, Clock, ConfigurationError, CQRSBus
from app.core.cqrs.testing import tracked
from app.core.discovery import discover
from app.handlers.user.create_user_handler import CreateUserHandler
from app.persistence.repositories.user_repository import UserRepository
from tests.composition.reception import Reception
from tests.core.cqrs.support import PATIENCE

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

PROVIDER = """
from dishka import Provider, provide
from app.core.config import Settings
from app.core.cqrs import Cache, CQRSBus
from app.core.scopes import Lifetime
from tests.composition.reception import Reception

class ReceptionProvider(Provider):
    @provide(scope=Lifetime.SERVICE)
    def reception(self, bus: CQRSBus, settings: Settings) -> Reception:
        return Reception(bus, settings.environment)
"""


@dataclass
class ProviderFile:
    """A new file beside `app/adapters/provider.py`."""

    path: Path

    def write(self, source: str) -> None:
        """Write it."""
        self.path.write_text(source)


@pytest.fixture
def provider_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderFile]:
    """A file that is found by its name."""
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(tmp_path)])
    monkeypatch.setattr(wiring, "discover", discover)  # it forgets what it found for other tests
    yield ProviderFile(tmp_path / "reception_provider.py")
    sys.modules.pop("app.adapters.reception_provider", None)


async def test_a_repository_lives_as_long_as_an_operation_and_an_adapter_as_long_as_the_service(
    settings: Settings,
) -> None:
    async with running_service(settings) as service:
        clock = await service.container.get(Clock)
        async with service.container() as one, service.container() as another:
            users = await one.get(UserRepository)
            assert await one.get(UserRepository) is users
            assert await another.get(UserRepository) is not users
            assert await one.get(CreateUserHandler) is not await one.get(CreateUserHandler)
            assert await one.get(Clock) is await another.get(Clock) is clock


async def test_a_function_of_a_new_provider_makes_what_is_asked_for(
    settings: Settings, provider_file: ProviderFile
) -> None:
    provider_file.write(PROVIDER)
    async with running_service(settings) as service:
        assert (await service.container.get(Reception)).environment == "test"


async def test_an_application_service_works_through_the_one_bus_of_the_container(
    settings: Settings, provider_file: ProviderFile
) -> None:
    provider_file.write(PROVIDER)
    async with running_service(settings) as service:
        reception = await service.container.get(Reception)
        assert reception.bus is await service.container.get(CQRSBus) is service.bus
        async with tracked(service.bus, PATIENCE) as run:
            await reception.register("ada")
        assert [type(sent.message).__name__ for sent in run.sent] == ["CreateUserCommand"]


async def test_an_adapter_that_asks_for_the_bus_is_refused(settings: Settings, provider_file: ProviderFile) -> None:
    asking = PROVIDER.replace("bus: CQRSBus, settings: Settings) -> Reception", "bus: CQRSBus) -> Cache")
    provider_file.write(asking.replace("@provide(", "@provide(override=True, "))
    with pytest.raises(ConfigurationError, match="The bus is built from the adapters, so none of them can need it"):
        async with running_service(settings) as service:
            await service.container.get(Cache)


async def test_the_start_is_logged_with_the_number_of_handlers(settings: Settings) -> None:
    with structlog.testing.capture_logs() as logs:
        async with running_service(settings) as service:
            count = service.bus.get_handler_count()
    (started,) = [entry for entry in logs if entry["event"] == "service_started"]
    assert {name: started[name] for name in count} == count
    assert count["total"] == count["commands"] + count["queries"] + count["events"] > 20
