"""A change without an event is refused, a stream goes on where it ended, and each collision says what it is."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, delete, event, select
from sqlalchemy.orm import registry

from app.composition.container import RunningService
from app.core.cqrs import (
    AggregateRoot,
    ConcurrencyError,
    ConfigurationError,
    ConflictError,
    DomainEvent,
    EventSourcedAggregate,
    OperationStatus,
    UnitsOfWork,
    savepoint,
)
from app.core.ids import uuid7
from app.domain.user import User
from app.persistence.engine.database import Database
from app.persistence.engine.guarding import require_versions
from app.persistence.engine.sessions import hold
from app.persistence.mappings.user_mapping import RoleOfUser
from app.persistence.tables import users
from app.persistence.unit_of_work import SqlUnitOfWork
from support.given import Do, DoPart, Noted
from tests.rows import events_of, rows_of
from tests.users import People


@pytest.fixture
def service(given_service: RunningService) -> RunningService:
    """The service with handlers whose bodies are given here."""
    return given_service


def rename(user: Any) -> None:
    """Change a field."""
    user.full_name = "Changed"


def add_role(user: Any) -> None:
    """Change a collection."""
    user.roles.add("admin")


def remove_roles(user: Any) -> None:
    """Empty a collection."""
    user.roles.clear()


def rename_role(user: Any) -> None:
    """Change a row that is part of it."""
    for role in user._roles:
        role.role = "admin"


SILENT = [rename, add_role, remove_roles, rename_role]


@pytest.mark.parametrize("change", SILENT)
async def test_a_change_without_an_event_is_refused(service: RunningService, people: People, change: Any) -> None:
    ada = await people.member(full_name="Ada")

    async def body(handler: Any) -> None:
        change(await handler.session.get_one(User, ada.id))

    result = await service.bus.execute_command(Do(body))
    assert result.status is OperationStatus.FAILED
    assert "raised no event" in str(result.error_message)
    (user,) = await rows_of(service, users)
    assert user.full_name == "Ada"


@pytest.mark.parametrize("change", SILENT)
async def test_also_where_it_is_flushed_before_the_end(service: RunningService, people: People, change: Any) -> None:
    ada = await people.member()

    async def body(handler: Any) -> None:
        change(await handler.session.get_one(User, ada.id))
        await handler.session.flush()

    assert "raised no event" in str((await service.bus.execute_command(Do(body))).error_message)


async def test_a_part_that_is_changed_without_its_whole_is_refused(service: RunningService, people: People) -> None:
    ada = await people.member()

    async def body(handler: Any) -> None:
        (role,) = await handler.session.scalars(select(RoleOfUser).where(RoleOfUser.user_id == ada.id))  # type: ignore[arg-type]
        role.role = "admin"

    assert "RoleOfUser is a part of User" in str((await service.bus.execute_command(Do(body))).error_message)


@pytest.mark.parametrize("change", SILENT)
@pytest.mark.parametrize("first", ["change", "event"])
async def test_an_event_before_or_after_it_will_do(
    service: RunningService, people: People, change: Any, first: str
) -> None:
    ada = await people.member()

    async def body(handler: Any) -> None:
        user = await handler.session.get_one(User, ada.id)
        for step in ("change", "event") if first == "change" else ("event", "change"):
            if step == "change":
                change(user)
            else:
                user.change_password("hash")
            await handler.session.flush()

    assert (await service.bus.execute_command(Do(body))).is_success


async def test_what_comes_to_nothing_is_no_change(service: RunningService, people: People) -> None:
    ada = await people.member(full_name="Ada")

    async def same(handler: Any) -> None:
        user = await handler.session.get_one(User, ada.id)
        user.full_name = "Ada"
        user.roles.add("member")

    async def undone(handler: Any) -> None:
        user = await handler.session.get_one(User, ada.id)
        point = await handler.session.begin_nested()
        rename(user)
        await handler.session.flush()
        await point.rollback()

    for body in (same, undone):
        assert (await service.bus.execute_command(Do(body))).is_success


async def test_a_savepoint_that_is_kept_hides_nothing(service: RunningService, people: People) -> None:
    ada = await people.member(full_name="Ada")

    async def body(handler: Any) -> None:
        async with savepoint():
            rename(await handler.session.get_one(User, ada.id))

    assert (await service.bus.execute_command(Do(body))).is_failure


async def test_what_is_deleted_needs_no_event(service: RunningService, people: People) -> None:
    ada = await people.member()

    async def body(handler: Any) -> None:
        await handler.session.delete(await handler.session.get_one(User, ada.id))

    assert (await service.bus.execute_command(Do(body))).is_success
    assert await rows_of(service, users) == []


@pytest.mark.parametrize("options", [{}, {"version_id_col": "version"}, {"version_id_col": "other"}])
def test_an_aggregate_without_its_version_stops_the_start(options: dict[str, str]) -> None:
    class Unversioned(AggregateRoot):
        pass

    mappers, columns = registry(), (Column("version", Integer), Column("other", Integer))
    table = Table("unversioned", MetaData(), Column("id", Text, primary_key=True), *columns)
    given = {name: table.c[column] for name, column in options.items()}
    mappers.map_imperatively(Unversioned, table, **given)
    with pytest.raises(ConfigurationError, match="version_id_col"):
        require_versions(mappers.mappers)


# A stream goes on


def somebody(user_id: UUID) -> User:
    """A user with this id."""
    named = {"email": f"{user_id}@example.org", "username": f"u{user_id.hex}", "full_name": "Ada"}
    return User(id=user_id, password_hash="x", created_at=datetime.now(UTC), **named)


async def create(service: RunningService, user_id: UUID) -> Any:
    """Store a user under an id."""

    async def body(handler: Any) -> None:
        handler.session.add(somebody(user_id))

    return await service.bus.execute_command(Do(body))


async def remove(service: RunningService, user_id: UUID, *, silently: bool) -> Any:
    """Delete a user."""

    async def body(handler: Any) -> None:
        user = await handler.session.get_one(User, user_id)
        if not silently:
            user.delete()
        await handler.session.delete(user)

    return await service.bus.execute_command(Do(body))


async def versions(service: RunningService, user_id: UUID) -> list[int]:
    """The numbers of the events of a user."""
    return sorted(event.version for event in await events_of(service, "User", user_id))


@pytest.mark.parametrize("silently", [False, True])
async def test_an_id_that_was_deleted_comes_again(service: RunningService, silently: bool) -> None:
    user_id = uuid7()
    for _ in range(3):
        assert (await create(service, user_id)).is_success
        assert (await remove(service, user_id, silently=silently)).is_success
    assert (await create(service, user_id)).is_success
    count = 4 if silently else 7
    assert await versions(service, user_id) == [*range(1, count + 1)]
    (user,) = await rows_of(service, users)
    assert user.version == count

    async def change(handler: Any) -> None:
        (await handler.session.get_one(User, user_id)).update(full_name="Grace")

    assert (await service.bus.execute_command(Do(change))).is_success


async def test_an_id_comes_again_of_a_class_with_a_name_on_record(service: RunningService, monkeypatch: Any) -> None:
    monkeypatch.setattr(User, "aggregate_type", "Person")
    user_id = uuid7()
    await create(service, user_id)
    await remove(service, user_id, silently=False)
    assert (await create(service, user_id)).is_success
    assert sorted(one.version for one in await events_of(service, "Person", user_id)) == [1, 2, 3]


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("is_new", [False, True])
async def test_also_within_one_transaction(service: RunningService, flush: bool, is_new: bool) -> None:
    user_id = uuid7()
    if not is_new:
        await create(service, user_id)

    async def body(handler: Any) -> None:
        nonlocal user_id
        if is_new:
            user_id = uuid7()
            handler.session.add(somebody(user_id))
            await handler.session.flush()
        user = await handler.session.get_one(User, user_id)
        user.delete()
        await handler.session.delete(user)
        if flush:
            await handler.session.flush()
        again = somebody(user_id)
        handler.session.add(again)
        await handler.session.flush()
        again.update(full_name="Grace")

    assert (await service.bus.execute_command(Do(body))).is_success
    assert await versions(service, user_id) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("make_id", "looks"),
    [
        (lambda: made_at(time() - 0.02), 0),
        (lambda: uuid4(), 1),
        (lambda: made_at(time() - 60), 1),
        (lambda: made_at(time() + 60), 1),
    ],
    ids=["made here", "random", "made before", "made by a clock that is ahead"],
)
async def test_the_log_is_asked_unless_the_id_was_made_in_the_unit(
    service: RunningService, make_id: Callable[[], UUID], looks: int
) -> None:
    statements: list[str] = []
    engine = (await service.container.get(Database)).writing_engine.sync_engine

    @event.listens_for(engine, "before_cursor_execute")
    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    async def body(handler: Any) -> None:
        began = time()
        while time() < began + 0.04:  # a clock may be set back by some milliseconds
            pass
        handler.session.add(somebody(make_id()))

    assert (await service.bus.execute_command(Do(body))).is_success
    assert len([one for one in statements if "max(event_log.version)" in one]) == looks


def made_at(moment: float) -> UUID:
    """A UUID of version 7 that says that it was made then."""
    return UUID(int=(int(moment * 1000) << 80) | (uuid7().int & ((1 << 80) - 1)))


async def test_reactions_inside_see_the_number_that_is_stored(service: RunningService) -> None:
    user_id = uuid7()
    await create(service, user_id)
    await remove(service, user_id, silently=False)
    unit = (await service.container.get(UnitsOfWork)).open(None)
    assert isinstance(unit, SqlUnitOfWork)
    unit.session.add(somebody(user_id))
    (raised,) = await unit.collect_events()
    await unit.close()
    assert raised.version == 3


# Each collision says what it is


class Tally(EventSourcedAggregate):
    """Kept as its events alone."""

    aggregate_type = "Tally"

    def apply(self, event: DomainEvent) -> None:
        """Nothing to become."""


async def test_two_event_sourced_ones_of_one_id(service: RunningService) -> None:
    async def body(handler: Any) -> None:
        tally = Tally("one")
        tally.raise_event(Noted(key="tally"))
        hold(handler.session.sync_session, tally)

    assert (await service.bus.execute_command(Do(body))).is_success
    result = await service.bus.execute_command(Do(body))
    assert (result.status, result.error_message) == (OperationStatus.CONFLICT, "There is a tally with this id already.")


async def test_one_that_was_deleted_meanwhile(service: RunningService, people: People) -> None:
    ada = await people.member()

    async def body(handler: Any) -> None:
        user = await handler.session.get_one(User, ada.id)
        await handler.session.execute(delete(users))
        user.update(full_name="Grace")

    result = await service.bus.execute_command(Do(body))
    assert (result.status, result.error_message) == (
        OperationStatus.CONFLICT,
        "Somebody else changed or deleted this in the meantime: read it again.",
    )


async def test_one_that_is_there(service: RunningService) -> None:
    user_id = uuid7()
    await create(service, user_id)
    result = await create(service, user_id)
    assert result.status is OperationStatus.CONFLICT
    assert "taken" in str(result.error_message)


async def test_one_whose_stream_somebody_else_went_on_with(service: RunningService) -> None:
    async def body(handler: Any) -> None:
        tally = Tally("two")
        tally.version = 1
        tally.raise_event(Noted(key="tally"))
        hold(handler.session.sync_session, tally)

    assert (await service.bus.execute_command(DoPart(body))).is_success
    result = await service.bus.execute_command(DoPart(body))
    assert result.error_message == "Somebody else changed this in the meantime: read it again."
    assert issubclass(ConcurrencyError, ConflictError)
