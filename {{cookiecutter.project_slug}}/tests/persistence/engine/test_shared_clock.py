"""Workers whose clocks are apart from each other, and from that of the database server."""

from time import time
from typing import Any
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import insert
from structlog.testing import capture_logs

from app.adapters.clock_system import SystemClock
from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import CommandResult, OperationStatus
from app.core.ids import uuid7
from app.handlers.user.refresh_tokens_handler import RefreshTokensCommand
from app.persistence.engine import shared_clock
from app.persistence.engine.database import Database
from app.persistence.engine.shared_clock import shared_time
from app.persistence.event_tables import inbox
from app.persistence.sweeping import Sweeper
from app.persistence.tables import idempotency_keys, login_sessions, refresh_tokens
from tests.lifespan import service_with
from tests.rows import let_pass, rows_of
from tests.users import People, create_user

ON_POSTGRESQL = pytest.mark.parametrize(
    "databases", [pytest.param("postgresql", marks=pytest.mark.integration)], indirect=True
)
pytestmark = ON_POSTGRESQL
APART = [pytest.param(seconds, id=f"{seconds:+} s") for seconds in (30, 600, -30, -600)]


def worker(seconds: float) -> Any:
    """What a worker does whose clock is so far ahead of that of the database."""
    return time_machine.travel(time() + seconds)


@pytest.mark.parametrize("apart", APART)
async def test_a_refresh_is_repeated_at_another_worker(service: RunningService, people: People, apart: int) -> None:
    pair = (await (await people.member()).login()).unwrap()
    with worker(-apart):
        second = (await service.bus.execute_command(RefreshTokensCommand(pair.refresh_token))).unwrap()
    with worker(apart):
        again = (await service.bus.execute_command(RefreshTokensCommand(pair.refresh_token))).unwrap()
    assert again.refresh_token == second.refresh_token
    await let_pass(service, service.settings.refresh_token_grace_seconds + 1, refresh_tokens)
    with worker(apart):
        assert (await service.bus.execute_command(RefreshTokensCommand(pair.refresh_token))).is_failure


@pytest.mark.parametrize("apart", APART)
async def test_a_key_is_good_for_as_long_at_another_worker(settings: Settings, apart: int) -> None:
    async with service_with(settings.model_copy(update={"idempotency_key_seconds": 20})) as service:

        async def send() -> CommandResult[UUID]:
            command = create_user(email="ada@example.org", username="ada")
            command.metadata.idempotency_key = "key"
            return await service.bus.execute_command(command)

        with worker(-apart):
            first = await send()
        with worker(apart):
            again = await send()
        assert (first.is_success, again.data, again.is_replay) == (True, first.data, True)
        await let_pass(service, 21, idempotency_keys)
        with worker(-apart):
            assert (await send()).status is OperationStatus.CONFLICT, "it is executed again"


async def test_a_worker_that_is_years_ahead_sweeps_nothing_early(service: RunningService, people: People) -> None:
    (await (await people.member()).login()).unwrap()
    database = await service.container.get(Database)
    sweeper, now = Sweeper(database, service.settings, SystemClock()), SystemClock().now()
    async with database.writing_engine.begin() as connection:
        key = {"digest": b"a", "fingerprint": b"", "claimed_at": now}
        await connection.execute(insert(idempotency_keys).values(key))
        note = {"event_id": uuid7(), "handler": "Welcome", "received_at": now}
        await connection.execute(insert(inbox).values(note))
    with worker(10 * 365 * 24 * 3600):
        assert await sweeper.sweep() == 0
    for table in (idempotency_keys, login_sessions):
        assert len(await rows_of(service, table)) == 1


@pytest.mark.parametrize(("apart", "told"), [(600, [600]), (-600, [-600]), (30, [30]), (2, []), (-2, [])])
async def test_a_clock_that_is_apart_is_told_once(database: Database, apart: int, told: list[int]) -> None:
    shared_clock._tell_difference.cache_clear()
    with capture_logs() as logs:
        async with database.relaying_engine.connect() as connection:
            for _ in range(3):
                now = await shared_time(connection, SystemClock().now)
                with time_machine.travel(now.timestamp() + apart, tick=False):
                    await shared_time(connection, SystemClock().now)
    differs = [log["seconds_ahead"] for log in logs if log["event"] == "clock_skewed"]
    assert [round(seconds, -1) for seconds in differs[:1]] == told
    assert len(differs) <= 2, "a rounded number of seconds may change once"
