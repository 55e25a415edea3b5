"""The composition root: it starts a whole service, or says in a sentence why not."""

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from app import adapters
from app.composition.container import RunningService, running_service
from app.composition.wiring import found_providers, make_container
from app.core.config import Settings
from app.core.cqrs import (
    BaseQueryHandler,
    ConfigurationError,
    CQRSBus,
    DiscoveryError,
    IQuery,
    OperationStatus,
    get_cqrs_bus,
    query_handler,
)
from app.core.discovery import Discovered
from app.handlers.user.login_handler import LoginCommand
from app.persistence.schema import migrate
from tests.composition.answering_machine import Ring
from tests.databases import SERVER, PostgresDatabases, settings_for
from tests.users import create_user

ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


class Crystal(Protocol):
    """Nobody provides this."""


@dataclass
class Ask(IQuery[str]):
    """Ask the crystal."""


@query_handler(Ask)
class AskHandler(BaseQueryHandler[Ask, str]):
    """Needs what is not there."""

    crystal: Crystal

    async def _handle(self, query: Ask) -> str:
        return "?"


def test_a_dependency_that_nobody_provides_is_named_with_who_needs_it() -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_container(settings_for("sqlite:///x.db"), [Discovered(handlers=[AskHandler])])
    assert str(raised.value).startswith("AskHandler needs Crystal, which nothing provides: add it to a Provider in")


async def test_every_handler_of_the_service_is_on_its_bus(service: RunningService) -> None:
    count = service.bus.get_handler_count()
    assert count["commands"] >= 14
    assert count["queries"] >= 5
    assert count["events"] >= 3
    assert get_cqrs_bus() is service.bus


@ON_SQLITE
async def test_it_starts_again_in_the_same_process(settings: Settings) -> None:
    for _ in range(2):
        async with running_service(settings) as service:
            result = await service.bus.execute_command(LoginCommand("nobody", "no password"))
            assert result.status is OperationStatus.UNAUTHENTICATED


@ON_SQLITE
async def test_two_in_a_process_do_not_disturb_each_other(settings: Settings) -> None:
    async with AsyncExitStack() as first_stack, AsyncExitStack() as second_stack:
        first = await first_stack.enter_async_context(running_service(settings))
        second = await second_stack.enter_async_context(running_service(settings))
        assert get_cqrs_bus() is second.bus
        assert (await first.bus.execute_command(create_user())).is_success
        await first_stack.aclose()
        assert get_cqrs_bus() is second.bus
        assert (await second.bus.execute_command(create_user())).status is OperationStatus.CONFLICT


@ON_SQLITE
async def test_when_it_ends_it_takes_nothing_more(settings: Settings) -> None:
    async with running_service(settings) as service:
        pass
    assert (await service.bus.execute_command(create_user())).status is OperationStatus.UNAVAILABLE


async def test_a_database_without_tables_is_refused(empty_database_url: str) -> None:
    settings = settings_for(empty_database_url)
    with pytest.raises(ConfigurationError, match=r"has no tables yet, but needs migration .*: run `app db upgrade`"):
        async with running_service(settings):
            pass


def _unusable(tmp_path: Path) -> list[str]:
    (tmp_path / "text.db").write_text("This is no database, although it is long enough to be taken for one. " * 100)
    return [
        f"sqlite:///{tmp_path}/no/such/folder/app.db",
        f"sqlite:///{tmp_path}/text.db",
        "postgresql://nobody:hunter2@127.0.0.1:1/nothing",
        "postgresql://nobody:hunter2@no-such-host.invalid/nothing",
    ]


async def test_a_database_that_cannot_be_opened_is_told_in_a_sentence(tmp_path: Path) -> None:
    for url in _unusable(tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be opened: check .* in DATABASE_URL") as raised:
            async with running_service(settings_for(url)):
                pass
        assert "hunter2" not in str(raised.value)


def test_so_it_is_before_migrations(tmp_path: Path) -> None:
    for url in _unusable(tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be opened: check .* in DATABASE_URL"):
            migrate.upgrade(settings_for(url))


@pytest.mark.integration
async def test_a_database_that_does_not_exist_or_is_not_ours_is_told(postgres_databases: PostgresDatabases) -> None:
    for url in (f"{SERVER}/no_such_database", f"{SERVER.replace('postgres@', 'no_such_role@')}/postgres"):
        with pytest.raises(ConfigurationError, match="cannot be opened: check .* in DATABASE_URL"):
            async with running_service(settings_for(url)):
                pass


@ON_SQLITE
async def test_an_unknown_cache_is_refused_with_the_known_ones(settings: Settings) -> None:
    strange = settings.model_copy(update={"cache_url": "memcached://hunter2"})
    with pytest.raises(ConfigurationError, match=r"CACHE_URL has a scheme .* there are: .*memory://") as raised:
        async with running_service(strange):
            pass
    assert "hunter2" not in str(raised.value)


@ON_SQLITE
async def test_behaviours_are_built_by_the_container(settings: Settings) -> None:
    async with running_service(settings, ("app.handlers", "tests.composition.answering_machine")) as service:
        result = await service.bus.execute_query(Ring())
        assert (result.status, result.error_message) == (OperationStatus.UNAVAILABLE, "Nobody is at home in test.")


async def test_describe_tells_the_whole_service(bus: CQRSBus) -> None:
    described = bus.describe()
    assert described["commands"]["CreateUserCommand"]["handler"] == "CreateUserHandler"
    reactions = {reaction["handler"] for reaction in described["events"]["UserCreated"]}
    assert reactions >= {"CountRegistrationHandler", "SendWelcomeHandler"}


PROVIDER = "from dishka import Provider\n\nclass Spare(Provider):\n    pass\n"


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [("spare_provider.py", PROVIDER, True), ("spare_parts.py", PROVIDER, False), ("other_provider.py", "1/0", None)],
)
def test_a_provider_is_found_by_the_name_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, found: bool | None
) -> None:
    (tmp_path / name).write_text(source)
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(tmp_path)])
    if found is None:
        with pytest.raises(DiscoveryError, match=r"app\.adapters\.other_provider does not import .*Correct it"):
            found_providers()
    else:
        assert ("Spare" in [type(provider).__name__ for provider in found_providers()]) is found
    sys.modules.pop(f"app.adapters.{Path(name).stem}", None)
