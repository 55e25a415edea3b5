"""Queries that are asked by others, which have a connection, and may have a snapshot of before."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import CQRSBus
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.update_user_handler import UpdateUserCommand
from app.persistence.event_tables import event_log
from app.persistence.tables import roles, users
from tests.core.cqrs.support import within_patience
from tests.lifespan import service_with
from tests.persistence.meddling import WAYS, Meddle, RenameAndAsk, Way
from tests.persistence.nested_reads import AskAtALevel, CountRoles, ReadThenAsk
from tests.persistence.reads import Look
from tests.rows import rows_of
from tests.users import People

PACKAGES = (
    "app.handlers",
    "tests.persistence.reads",
    "tests.persistence.nested_reads",
    "tests.persistence.meddling",
    "tests.persistence.accounts",
)
ON_POSTGRESQL = pytest.mark.parametrize(
    "databases", [pytest.param("postgresql", marks=pytest.mark.integration)], indirect=True
)


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """The service with the queries of these tests."""
    async with service_with(settings, PACKAGES) as running:
        yield running


@pytest.fixture
def narrow_service(settings: Settings) -> Callable[..., AbstractAsyncContextManager[RunningService]]:
    """The same with few connections, and other settings."""

    @asynccontextmanager
    async def start(connections: int, **more: Any) -> AsyncIterator[RunningService]:
        few = {"database_pool_size": connections, "database_pool_timeout_seconds": 10.0, **more}
        async with service_with(settings.model_copy(update=few), PACKAGES) as running:
            yield running

    return start


async def test_what_is_older_than_a_change_is_not_kept_after_it(people: People) -> None:
    ada, meet = await people.member(full_name="Ada"), asyncio.Barrier(2)
    question = ReadThenAsk(ada.id, GetUserQuery(ada.id), meet, at_one_moment=True)
    reading = asyncio.create_task(ada.query(question))
    await within_patience(meet.wait())
    (await ada.command(UpdateUserCommand(ada.id, full_name="Ada King"))).unwrap()
    await within_patience(meet.wait())
    assert (await reading).unwrap().full_name == "Ada", "It sees what there was when it began to read."
    assert (await ada.query(GetUserQuery(ada.id))).unwrap().full_name == "Ada King"


async def test_what_is_as_of_now_is_kept(service: RunningService, people: People) -> None:
    ada = await people.member()
    (await ada.query(ReadThenAsk(ada.id, GetUserQuery(ada.id)))).unwrap()
    again = (await ada.query(GetUserQuery(ada.id))).cache_info
    on_sqlite = service.settings.database_url.startswith("sqlite")  # where the first read began a snapshot
    assert again is not None
    assert again["hit"] is not on_sqlite


async def test_who_has_a_connection_waits_for_nobody_who_has_none(narrow_service: Any) -> None:
    async with narrow_service(connections=3) as service:
        ada, meet = await People(service.bus).member(), asyncio.Barrier(4)
        reading = [asyncio.create_task(ada.query(ReadThenAsk(ada.id, CountRoles(), meet))) for _ in range(3)]
        await within_patience(meet.wait())
        loading = asyncio.create_task(ada.query(ReadThenAsk(ada.id, CountRoles(), reads=False)))
        for _ in range(50):  # until it waits for a connection
            await asyncio.sleep(0)
        await within_patience(meet.wait())
        answers = await within_patience(asyncio.gather(*reading, loading))
    assert len({answer.unwrap() for answer in answers}) == 1


@ON_POSTGRESQL
async def test_a_moment_may_be_asked_for_after_something_was_read(people: People) -> None:
    ada = await people.member()
    first, second = (await ada.query(ReadThenAsk(ada.id, Look(at_one_moment=True)))).unwrap()
    assert first == second


@ON_POSTGRESQL
async def test_a_query_does_not_change_the_level_of_the_command_around_it(bus: CQRSBus) -> None:
    assert (await bus.execute_command(AskAtALevel(Look(at_one_moment=True)))).unwrap() == "read committed"


async def test_a_query_inside_a_transaction_sees_what_was_done_before_it(
    service: RunningService, people: People
) -> None:
    ada = await people.member(full_name="Ada")
    command = RenameAndAsk(ada.id, "Ada King", Meddle(ada.id))
    assert (await service.bus.execute_command(command)).unwrap() == "Ada King"
    assert (await ada.query(GetUserQuery(ada.id))).unwrap().full_name == "Ada King"


@pytest.mark.parametrize("bears", [False, True])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_a_query_inside_a_transaction_changes_nothing(
    service: RunningService, bus: CQRSBus, people: People, way: Way, fails: bool, bears: bool
) -> None:
    ada = await people.member(full_name="Ada")
    await within_patience(bus.settled())
    before = [await rows_of(service, table) for table in (event_log, users, roles)]
    command = RenameAndAsk(ada.id, "Ada King", Meddle(ada.id, way, fails), bears)
    result = await bus.execute_command(command)
    was_refused_at_once = way in ("an update", "an insert")
    if bears and was_refused_at_once:
        assert result.unwrap() == "It failed."
        assert (await ada.query(GetUserQuery(ada.id))).unwrap().full_name == "Ada King"
    else:
        tells_own = fails and not bears and not was_refused_at_once
        reason = "There is nothing" if tells_own else "A query inside a transaction changed something"
        assert reason in str(result.error_message)
        assert [await rows_of(service, table) for table in (event_log, users, roles)] == before
