"""Idempotency keys on real databases: under every isolation level, for as long as they are kept, and at what price."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, insert

from app.composition.container import RunningService
from app.core.canonical_json import canonical_json, given_names
from app.core.config import Settings
from app.core.cqrs import (
    BusinessRuleViolationError,
    Claim,
    CommandResult,
    ConflictError,
    OperationStatus,
    UnitsOfWork,
    idempotent,
    retry_on_failure,
    transactional,
)
from app.core.cqrs.testing import FixedClock
from app.core.ids import uuid7
from app.persistence.engine.database import Database
from app.persistence.tables import idempotency_keys, registrations
from app.persistence.unit_of_work import current_unit
from tests.core.cqrs.support import Do, handler_of, sent_by, within_patience
from tests.databases import until_held_up
from tests.lifespan import service_with
from tests.rows import let_pass, rows_of

PATIENT = retry_on_failure(max_attempts=20, delay_seconds=0.01)


class Work:
    """Writes a row, and waits before that while it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, _: Do) -> str:
        self.begun.set()
        await self.go_on.wait()
        unit = current_unit()
        assert unit is not None
        row = {"event_id": uuid7(), "registered_at": FixedClock().now()}
        await unit.session.execute(insert(registrations).values(row))
        if self.failures:
            raise self.failures.pop(0)
        return str(row["event_id"])


@pytest.fixture
async def hasty_service(settings: Settings) -> AsyncIterator[RunningService]:
    """A service that does not wait for long."""
    short = {"database_lock_timeout_seconds": 0.3, "database_pool_timeout_seconds": 0.3}
    async with service_with(settings.model_copy(update=short), ()) as running:
        yield running


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[RunningService]:
    """A service without handlers."""
    async with service_with(settings, ()) as running:
        yield running


def use(service: RunningService, work: Any, *decorators: Any, **declared: Any) -> None:
    """Let this be what `Do` does, once for each key."""
    handler = handler_of(Do, work, *decorators, transactional(), idempotent(), **declared)
    service.bus.register_command_handler(Do, handler())


async def send(service: RunningService, what: str = "this", key: str = "key") -> CommandResult[str]:
    return await service.bus.execute_command(sent_by("ada", Do(what), idempotency_key=key))


async def effects(service: RunningService) -> set[str]:
    return {str(row.event_id) for row in await rows_of(service, registrations)}


@pytest.mark.parametrize("level", ["READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"])
async def test_at_every_level_many_at_once_have_one_effect(service: RunningService, level: str) -> None:
    use(service, Work(), transactional(level), PATIENT)
    results = await asyncio.gather(*(send(service) for _ in range(20)))
    assert {result.data for result in results} == await effects(service)
    assert sum(not result.is_replay for result in results) == 1


@pytest.mark.parametrize(
    ("level", "collides"), [("READ_COMMITTED", False), ("REPEATABLE_READ", True), ("SERIALIZABLE", True)]
)
async def test_who_waited_for_a_claim_sees_its_answer_or_is_told_to_come_back(
    service: RunningService, level: str, collides: bool
) -> None:
    work = Work()
    work.go_on.clear()
    use(service, work, transactional(level))
    first = asyncio.create_task(send(service))
    await within_patience(work.begun.wait())
    second = asyncio.create_task(send(service))
    await until_held_up(service.settings)
    assert not second.done()
    work.go_on.set()
    done, waited = await asyncio.gather(first, second)
    on_sqlite = service.settings.database_url.startswith("sqlite")
    expected = OperationStatus.UNAVAILABLE if collides and not on_sqlite else OperationStatus.SUCCESS
    assert (done.status, waited.status) == (OperationStatus.SUCCESS, expected)
    assert waited.data == (done.data if waited.is_success else None)
    assert (await send(service)).data == done.data
    assert len(await effects(service)) == 1


@pytest.mark.parametrize(("seconds", "status"), [(30.0, OperationStatus.UNAVAILABLE), (0.3, OperationStatus.TIMEOUT)])
async def test_nobody_waits_for_a_claim_for_ever(
    hasty_service: RunningService, service: RunningService, seconds: float, status: OperationStatus
) -> None:
    use(hasty_service, Work(), timeout_seconds=seconds)
    holder = (await hasty_service.container.get(UnitsOfWork)).open(None)
    claim = Claim("ada", "Do", "key", canonical_json(Do()))
    assert await holder.claim(claim) is None
    assert (await within_patience(send(hasty_service))).status is status
    await holder.close()
    use(service, Work())
    assert (await send(service)).data in await effects(service)
    assert len(await effects(service)) == 1


async def test_a_key_is_good_for_as_long_as_it_is_kept(service: RunningService) -> None:
    use(service, Work())
    lifetime = service.settings.idempotency_key_seconds
    first = await send(service)
    await let_pass(service, lifetime - 60, idempotency_keys)
    assert (await send(service)).data == first.data
    assert (await send(service, "other")).status is OperationStatus.VALIDATION_ERROR
    await let_pass(service, 120, idempotency_keys)
    results = await asyncio.gather(*(send(service, "other") for _ in range(20)))
    assert sum(not result.is_replay for result in results) == 1
    assert {first.data, *(result.data for result in results)} == await effects(service)
    assert (await send(service)).status is OperationStatus.VALIDATION_ERROR
    await let_pass(service, lifetime - 60, idempotency_keys)
    assert (await send(service, "other")).is_replay
    assert len(await rows_of(service, idempotency_keys)) == 1


async def test_what_was_undone_claims_nothing(service: RunningService) -> None:
    use(service, Work(BusinessRuleViolationError("Not now.")))
    assert (await send(service)).is_failure
    assert await rows_of(service, idempotency_keys) == []
    assert (await send(service)).is_success


async def test_a_failure_that_was_committed_is_the_answer_for_all(service: RunningService) -> None:
    use(service, Work(BusinessRuleViolationError("Not now.", details={"at": "noon"})), transactional(rollback_on=()))
    results = await asyncio.gather(*(send(service) for _ in range(10)))
    said = [(result.status, result.error_message, result.errors) for result in results]
    assert said == [(OperationStatus.BUSINESS_RULE, "Not now.", {"at": "noon"})] * 10
    assert sum(not result.is_replay for result in results) == len(await effects(service)) == 1


async def test_a_claim_that_an_older_release_kept_without_an_answer_is_answered_once(service: RunningService) -> None:
    units = await service.container.get(UnitsOfWork)
    older = units.open(None)
    await older.claim(Claim("ada", "Do", "key", canonical_json(Do(), given_names(Do()))))
    await older.commit()
    await older.close()
    use(service, Work(BusinessRuleViolationError("Not now.")), transactional(rollback_on=()))
    results = await asyncio.gather(*(send(service) for _ in range(10)))
    assert sum(not result.is_replay for result in results) == len(await effects(service)) == 1


async def test_no_failure_is_kept_for_work_that_cannot_be_committed(service: RunningService) -> None:
    work = Work()

    async def clumsy(command: Do) -> str:
        unit = current_unit()
        assert unit is not None
        row = {"event_id": UUID(await work(command)), "registered_at": FixedClock().now()}
        with suppress(ConflictError):
            await unit.session.execute(insert(registrations).values(row))
        raise BusinessRuleViolationError("Not now.")

    use(service, clumsy, transactional(rollback_on=()))
    for _ in range(2):
        result = await send(service)
        assert (result.status, result.is_replay) == (OperationStatus.CONFLICT, False)
    assert await rows_of(service, idempotency_keys) == []


async def test_an_answer_does_not_outlive_its_key(service: RunningService) -> None:
    work = Work()
    use(service, work, transactional(rollback_on=()))
    first = await send(service)
    await let_pass(service, service.settings.idempotency_key_seconds + 60, idempotency_keys)
    work.failures.append(BusinessRuleViolationError("Not now."))
    assert [(await send(service)).is_replay for _ in range(2)] == [False, True]
    await let_pass(service, service.settings.idempotency_key_seconds + 60, idempotency_keys)
    assert (await send(service)).data not in (None, first.data)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements of a command that are executed meanwhile; those of the relay are not."""
    seen: list[str] = []

    def see(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "idempotency_keys" in statement or "registrations" in statement:
            seen.append(statement)

    event.listen(database.writing_engine.sync_engine, "before_cursor_execute", see)
    yield seen
    event.remove(database.writing_engine.sync_engine, "before_cursor_execute", see)


async def test_a_key_costs_two_statements(service: RunningService) -> None:
    use(service, Work())
    with counted(await service.container.get(Database)) as statements:
        await send(service)
        first = [statement.split()[0] for statement in statements]
        statements.clear()
        await send(service)
        replay = [statement.split()[0] for statement in statements]
    assert (first, replay) == (["INSERT", "INSERT", "UPDATE"], ["INSERT", "SELECT"])
