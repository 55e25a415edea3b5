"""Two services on one database share a cache in Redis, as two processes of one service do."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.composition.container import RunningService, running_service
from app.core.cqrs import OperationStatus
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.get_user_stats_handler import GetUserStatsQuery
from app.handlers.user.revoke_role_handler import RevokeRoleCommand
from app.handlers.user.update_user_handler import UpdateUserCommand
from tests.caches import REDIS, prefix_in_redis
from tests.databases import SqliteFiles, settings_for
from tests.users import People, Person

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("patient_with_redis")]

DEADLINE = 20.0
Services = tuple[RunningService, RunningService]


@pytest.fixture
async def services(sqlite_files: SqliteFiles, tmp_path: Path) -> AsyncIterator[Services]:
    """Both, started."""
    async with prefix_in_redis() as prefix:
        with sqlite_files.fresh(tmp_path) as url:
            settings = settings_for(url, cache_url=REDIS, cache_prefix=prefix)
            async with running_service(settings) as one, running_service(settings) as other:
                yield one, other


def at(service: RunningService, person: Person) -> Person:
    """The same person at another service."""
    return replace(person, bus=service.bus)


async def level(person: Person) -> str | None:
    """Where the answer comes from when a person reads himself."""
    info = (await person.query(GetUserQuery(person.id))).cache_info
    assert info is not None
    return info["level"]


async def test_what_one_has_read_the_other_finds(services: Services) -> None:
    one, other = services
    ada = await People(one.bus).member()
    assert [await level(ada), await level(ada)] == [None, "memory"]
    assert [await level(at(other, ada)), await level(at(other, ada))] == ["redis", "memory"]


async def test_what_one_changes_the_other_reads_anew(services: Services) -> None:
    one, other = services
    ada = await People(one.bus).member()
    for name in ("Ada King", "Ada Lovelace"):
        assert (await at(other, ada).query(GetUserQuery(ada.id))).is_success
        (await ada.command(UpdateUserCommand(ada.id, full_name=name))).unwrap()
        assert (await ada.query(GetUserQuery(ada.id))).unwrap().full_name == name
        async with asyncio.timeout(DEADLINE):
            while (await at(other, ada).query(GetUserQuery(ada.id))).unwrap().full_name != name:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


async def test_nobody_sees_what_is_kept_for_another(services: Services) -> None:
    one, other = services
    ada, bob = [await People(one.bus).member(email=f"{name}@example.org", username=name) for name in ("ada", "bob")]
    assert [await level(ada), await level(at(other, ada))] == [None, "redis"]
    for service in services:
        assert (await at(service, bob).query(GetUserQuery(ada.id))).status is OperationStatus.FORBIDDEN
    assert (await at(other, bob).query(GetUserQuery(bob.id))).unwrap().id == bob.id


async def test_who_may_no_longer_does_not_get_what_is_kept(services: Services) -> None:
    """With the next call where the role was taken away, and a moment later everywhere."""
    one, other = services
    people = People(one.bus)
    root, fired = await people.administrator(), await people.administrator()
    for service in services:
        assert (await at(service, fired).query(GetUserStatsQuery())).is_success
    (await root.command(RevokeRoleCommand(fired.id, "admin"))).unwrap()
    assert (await at(one, fired).query(GetUserStatsQuery())).status is OperationStatus.FORBIDDEN
    async with asyncio.timeout(DEADLINE):
        while (await at(other, fired).query(GetUserStatsQuery())).is_success:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
