"""Where queries read: from the replica if there is one, and nowhere do they write."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import ConfigurationError, CQRSBus
from app.handlers.user.update_user_handler import UpdateUserCommand
from app.persistence.engine.database import Database
from app.persistence.engine.sessions import at_one_moment
from app.persistence.schema import migrate
from app.persistence.tables import roles, users
from tests.databases import Databases, settings_for
from tests.lifespan import service_with
from tests.persistence.reads import CountUsers, RenameUser
from tests.rows import rows_of
from tests.users import People


@pytest.fixture
def replica_url(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """A second database, which gets nothing from the first: so late is this replica."""
    with databases.empty(tmp_path) as url:
        yield url


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service with the queries of these tests."""
    async with service_with(settings, ("app.handlers", "tests.persistence.reads")) as running:
        yield running


async def test_queries_read_the_replica_and_commands_the_primary(settings: Settings, replica_url: str) -> None:
    await asyncio.to_thread(migrate.upgrade, settings_for(replica_url))
    with_replica = settings_for(settings.database_url, read_database_url=replica_url)
    packages = ("app.handlers", "tests.persistence.reads")

    async with running_service(with_replica, packages) as service:
        ada = await People(service.bus).member()
        assert (await service.bus.execute_query(CountUsers())).unwrap() == 0
    async with running_service(settings_for(replica_url), packages) as other:
        await People(other.bus).member(email="bob@example.org", username="bob")
        await People(other.bus).member(email="eve@example.org", username="eve")
    async with running_service(with_replica, packages) as service:
        command = UpdateUserCommand(ada.id, full_name="Ada King")
        command.metadata.user_id = "system"
        assert (await service.bus.execute_command(command)).unwrap().full_name == "Ada King"
        assert (await service.bus.execute_query(CountUsers())).unwrap() == 2
    async with running_service(settings, packages) as primary:
        assert [row.full_name for row in await rows_of(primary, users)] == ["Ada King"]


async def test_a_replica_that_lags_behind_the_migrations_holds_up_no_start(
    settings: Settings, replica_url: str
) -> None:
    async with running_service(settings_for(settings.database_url, read_database_url=replica_url)) as service:
        await People(service.bus).member()


async def test_a_primary_without_its_migrations_is_no_database_to_start_on(
    settings: Settings, replica_url: str
) -> None:
    late = settings_for(replica_url, read_database_url=settings.database_url)
    with pytest.raises(ConfigurationError, match="run `app db upgrade`"):
        async with running_service(late):
            pass


@pytest.mark.parametrize("flush", [False, True])
async def test_a_query_that_changes_something_fails_with_a_sentence(
    service: RunningService, bus: CQRSBus, people: People, flush: bool
) -> None:
    ada = await people.member(full_name="Ada")
    refused = await bus.execute_query(RenameUser(ada.id, flush))
    assert refused.is_failure
    assert str(refused.error_message).startswith("Something was written outside a transaction")
    assert [row.full_name for row in await rows_of(service, users)] == ["Ada"]


async def test_who_asks_for_it_sees_one_moment_whatever_the_database(database: Database) -> None:
    count = select(func.count()).select_from(roles)
    async with database.reading() as session:
        await at_one_moment(session)
        before = await session.scalar(count)
        async with database.writing() as another, another.begin():
            await another.execute(insert(roles).values(name="baker", is_admin=False))
        assert await session.scalar(count) == before
