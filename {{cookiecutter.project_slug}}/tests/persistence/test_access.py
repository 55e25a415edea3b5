from uuid import uuid4

import pytest
from sqlalchemy import event

from app.composition.container import RunningService
from app.core.cqrs import AccessPolicy, Cache
from app.persistence.access import SYSTEM, access_tag
from app.persistence.engine.database import Database
from tests.users import People


@pytest.fixture
async def access(service: RunningService) -> AccessPolicy:
    access: AccessPolicy = await service.container.get(AccessPolicy)
    return access


async def test_permissions_are_those_of_all_roles(access: AccessPolicy, people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    of_ada, of_root = await access.grants_of(str(ada.id)), await access.grants_of(str(root.id))
    assert of_ada is not None
    assert of_root is not None
    assert "user:read:own" in of_ada.permissions
    assert "user:read" not in of_ada.permissions
    assert not of_ada.is_admin
    assert of_ada.permissions < of_root.permissions
    assert of_root.is_admin


async def test_nobody_may_do_nothing(access: AccessPolicy) -> None:
    for user_id in (*[str(uuid4())] * 2, "", "nobody", "\x00", "\ud800", "1" * 10_000):
        assert await access.grants_of(user_id) is None


async def test_the_service_itself_may_do_all(access: AccessPolicy) -> None:
    of_service = await access.grants_of(SYSTEM)
    assert of_service is not None
    assert of_service.is_admin


async def test_what_is_known_is_not_read_again_until_it_changes(
    service: RunningService, access: AccessPolicy, people: People
) -> None:
    ada = await people.member()
    await service.bus.settled()
    database, cache = await service.container.get(Database), await service.container.get(Cache)
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(database.reading_engine.sync_engine, "before_cursor_execute", note)
    for _ in range(3):
        assert await access.grants_of(str(ada.id)) == await access.grants_of(str(ada.id).upper())
    assert sum("role_permissions" in statement for statement in statements) == 1
    await cache.invalidate([access_tag(ada.id)])
    await access.grants_of(str(ada.id))
    assert sum("role_permissions" in statement for statement in statements) == 2


async def test_what_is_unreadable_is_read_again(service: RunningService, access: AccessPolicy, people: People) -> None:
    ada = await people.member()
    cache = await service.container.get(Cache)
    tag = access_tag(ada.id)
    await cache.set(tag, b"written by another version", 60, (tag,), await cache.generation((tag,)))
    assert await access.grants_of(str(ada.id)) is not None
