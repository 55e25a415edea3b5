"""What databases complain about arrives as errors of the bus, whichever database it is."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, make_url, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import ConfigurationError, ConflictError, CQRSBus, CQRSError, OperationStatus, TransientError
from app.core.ids import uuid7
from app.persistence.engine import postgresql, postgresql_errors
from app.persistence.engine.database import Database
from app.persistence.engine.errors import DatabaseOnlyReadsError, LostConnectionError, MissingRightError
from app.persistence.event_tables import event_log
from app.persistence.repositories.user_repository import UserRepository
from app.persistence.tables import registrations, user_roles
from tests.core.cqrs.support import within_patience
from tests.databases import ON_SQLITE, ask_server, settings_for
from tests.persistence import commands as send
from tests.rows import rows_of
from tests.users import People

ON_POSTGRESQL = pytest.mark.parametrize("databases", ["postgresql"], indirect=True)


@pytest.fixture
async def database(service: RunningService) -> Database:
    return await service.container.get(Database)


async def _raised(session: AsyncSession, statement: str) -> CQRSError:
    with pytest.raises(CQRSError) as raised:
        await session.execute(text(statement))
    assert raised.value.must_roll_back
    return raised.value


@pytest.mark.integration
@ON_POSTGRESQL
async def test_a_serialisation_failure_is_tried_again_in_a_new_transaction(service: RunningService) -> None:
    result = await service.bus.execute_command(send.Collide(failures=2))
    assert result.data == 3
    assert len(await rows_of(service, registrations)) == 1


@pytest.mark.integration
@ON_POSTGRESQL
async def test_when_the_attempts_are_spent_the_service_is_unavailable(service: RunningService) -> None:
    result = await service.bus.execute_command(send.Collide(failures=3))
    assert result.status is OperationStatus.UNAVAILABLE
    assert await rows_of(service, registrations) == []


@pytest.mark.integration
@ON_POSTGRESQL
@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "53100", "53200", "53300", "58030"])
async def test_what_may_pass_is_transient(database: Database, state: str) -> None:
    async with database.writing() as session:
        error = await _raised(session, f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '{state}'; END $$")
    assert type(error) is TransientError


@pytest.mark.integration
@ON_POSTGRESQL
async def test_a_missing_right_is_named_and_does_not_pass(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("SET LOCAL ROLE pg_monitor"))
        error = await _raised(session, "SELECT * FROM event_log")
    assert type(error) is MissingRightError
    assert "lacks a right: permission denied for table event_log. Grant it" in error.message


@pytest.mark.integration
@ON_POSTGRESQL
async def test_an_error_raised_by_the_commit_itself_is_translated(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("CREATE TEMP TABLE parents (id int PRIMARY KEY)"))
        await session.execute(
            text("CREATE TEMP TABLE children (id int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)")
        )
        await session.execute(text("INSERT INTO children VALUES (1)"))
        with pytest.raises(ConflictError):
            await session.commit()


@pytest.mark.integration
@ON_POSTGRESQL
async def test_a_connection_that_the_server_ends_is_lost_and_replaced(database: Database) -> None:
    async with database.writing() as session:
        error = await _raised(session, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert isinstance(error, LostConnectionError)
    async with database.writing() as session:
        assert await session.scalar(text("SELECT 1")) == 1


@pytest.mark.integration
@ON_POSTGRESQL
async def test_a_database_that_refuses_connections_is_unavailable_but_no_bug(
    empty_database_url: str,
) -> None:
    refusing, name = Database(settings_for(empty_database_url)), make_url(empty_database_url).database
    await ask_server(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    for open_session in (refusing.writing, refusing.reading):
        async with open_session() as session:
            assert isinstance(await _raised(session, "SELECT 1"), LostConnectionError)
    await refusing.close()


@pytest.mark.integration
@ON_POSTGRESQL
async def test_a_login_that_is_refused_while_the_service_runs_is_an_outage(database_url: str) -> None:
    stranger = make_url(database_url).set(username="no_such_role").render_as_string()
    database = Database(settings_for(stranger))
    async with database.writing() as session:
        assert isinstance(await _raised(session, "SELECT 1"), LostConnectionError)
    await database.close()


@pytest.mark.integration
@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("state", "said"), [("25006", "x"), ("0A000", "cannot set transaction read-write mode during recovery")]
)
async def test_connections_to_a_database_that_only_reads_are_given_up(
    database: Database, state: str, said: str
) -> None:
    """After a failover they lead to a standby, and new ones to the server that writes."""
    async with database.writing() as session:
        before = await session.scalar(text("SELECT pg_backend_pid()"))
        error = await _raised(session, f"DO $$ BEGIN RAISE '{said}' USING ERRCODE = '{state}'; END $$")
        assert isinstance(error, DatabaseOnlyReadsError)
    async with database.writing() as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) != before


async def test_a_query_that_writes_is_a_mistake_of_the_program(database: Database) -> None:
    async with database.reading() as session:
        with pytest.raises(ConfigurationError, match="put @transactional on"):
            await session.execute(text("DELETE FROM registrations"))


@ON_SQLITE
async def test_a_file_that_can_only_be_read_is_unavailable(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("PRAGMA query_only=ON"))
        assert isinstance(await _raised(session, "DELETE FROM registrations"), DatabaseOnlyReadsError)
    async with database.writing() as session:  # on a new connection
        await session.execute(text("DELETE FROM registrations"))


@ON_SQLITE
async def test_a_full_disk_may_have_room_again(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("PRAGMA max_page_count=1"))
        error = await _raised(session, "CREATE TABLE more AS SELECT zeroblob(10000000) AS content")
    assert type(error) is TransientError


@pytest.mark.integration
@ON_POSTGRESQL
@pytest.mark.parametrize(("trusted_seconds", "failures"), [(0.0, 0), (3600.0, 1)])
async def test_a_connection_that_stood_idle_is_asked_whether_it_is_there(
    database: Database, monkeypatch: pytest.MonkeyPatch, trusted_seconds: float, failures: int
) -> None:
    """One that was in use just now is trusted; if it is gone after all, it is the only one that fails."""
    monkeypatch.setattr(postgresql, "TRUSTED_SECONDS", trusted_seconds)
    async with database.writing() as first, database.writing() as second:
        gone = [await session.scalar(text("SELECT pg_backend_pid()")) for session in (first, second)]
    async with database.reading() as other:
        for pid in gone:
            await other.execute(text(f"SELECT pg_terminate_backend({pid}, 5000)"))

    failed = 0
    for _ in range(3):
        try:
            async with database.writing() as session:
                assert await session.scalar(text("SELECT pg_backend_pid()")) not in gone
        except LostConnectionError:
            failed += 1
    assert failed == failures


@pytest.mark.integration
@ON_POSTGRESQL
async def test_a_statement_that_takes_too_long_is_stopped_by_the_server(settings: Settings) -> None:
    impatient = Database(settings.model_copy(update={"database_statement_timeout_seconds": 0.05}))
    async with impatient.writing() as session:
        error = await _raised(session, "SELECT pg_sleep(10)")
    assert error.status is OperationStatus.UNAVAILABLE
    await impatient.close()


@pytest.mark.integration
@ON_POSTGRESQL
async def test_waiting_for_a_lock_has_an_end(settings: Settings, bus: CQRSBus, people: People) -> None:
    ada = await people.member()
    await within_patience(bus.settled())  # its reactions refer to the user
    impatient = Database(settings.model_copy(update={"database_lock_timeout_seconds": 0.05}))
    async with impatient.writing() as first, impatient.writing() as second:
        await UserRepository(first).locked(ada.id)
        with pytest.raises(TransientError):
            await UserRepository(second).locked(ada.id)
    await impatient.close()


async def test_a_server_that_is_not_there_is_a_lost_connection() -> None:
    database = Database(settings_for("postgresql://nobody@127.0.0.1:1/nothing"))
    async with database.writing() as session:
        assert isinstance(await _raised(session, "SELECT 1"), LostConnectionError)
    await database.close()


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
async def test_a_database_that_another_process_writes_to_is_busy(settings: Settings) -> None:
    impatient = settings.model_copy(update={"database_lock_timeout_seconds": 0.05})
    ours, theirs = Database(impatient), Database(impatient)
    async with ours.writing() as first, theirs.writing() as second:
        await first.execute(text("SELECT 1"))
        assert type(await _raised(second, "SELECT 1")) is TransientError
    await ours.close()
    await theirs.close()


async def test_who_waits_too_long_for_a_connection_may_come_again(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1, "database_pool_timeout_seconds": 0.05}))
    async with database.writing() as first, database.writing() as second:
        await first.execute(text("SELECT 1"))
        assert type(await _raised(second, "SELECT 1")) is TransientError
    await database.close()


async def test_a_value_that_is_taken_names_its_columns(database: Database) -> None:
    row = {"aggregate_type": "User", "aggregate_id": "1", "version": 1, "event_type": "x", "payload": {}}
    row |= {"metadata": {}, "occurred_at": datetime.now(UTC)}
    async with database.writing() as session:
        await session.execute(insert(event_log).values(id=uuid7(), **row))
        with pytest.raises(ConflictError) as raised:
            await session.execute(insert(event_log).values(id=uuid7(), **row))
    assert set(raised.value.details) == {"aggregate_type", "aggregate_id", "version"}


async def test_a_key_that_is_taken_names_its_column(database: Database) -> None:
    row = {"event_id": uuid7(), "registered_at": datetime.now(UTC)}
    async with database.writing() as session:
        await session.execute(insert(registrations).values(row))
        with pytest.raises(ConflictError, match=r"This event_id is taken\.") as raised:
            await session.execute(insert(registrations).values(row))
    assert raised.value.details == {"event_id": "is taken"}


async def test_what_is_unique_in_a_table_of_somebody_else_is_taken_too(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("CREATE TEMP TABLE strangers (a int UNIQUE)"))
        await session.execute(text("INSERT INTO strangers VALUES (1)"))
        with pytest.raises(ConflictError):
            await session.execute(text("INSERT INTO strangers VALUES (1)"))


async def test_a_reference_to_nothing_is_a_conflict(database: Database, people: People) -> None:
    ada = await people.member()
    async with database.writing() as session:
        with pytest.raises(ConflictError):
            await session.execute(insert(user_roles).values(user_id=ada.id, role="unheard of"))


async def test_a_bug_in_sql_is_nothing_that_passes(bus: CQRSBus, database: Database) -> None:
    async with database.reading() as session:
        with pytest.raises(Exception, match="nowhere") as raised:
            await session.execute(text("SELECT * FROM nowhere"))
    assert not isinstance(raised.value, CQRSError)


async def test_readers_do_not_wait_for_the_writer(database: Database) -> None:
    async with database.writing() as writer, database.reading() as reader:
        await writer.execute(insert(registrations).values(event_id=uuid7(), registered_at=datetime.now(UTC)))
        async with asyncio.timeout(20):
            assert (await reader.execute(registrations.select())).all() == []


@pytest.mark.parametrize("state", ["57P01", "57P03", "57P04", "25P03", "08006"])
def test_a_server_that_goes_away_is_lost(state: str) -> None:
    error = RuntimeError()
    error.sqlstate = state  # type: ignore[attr-defined]
    assert isinstance(postgresql_errors.classify(error), LostConnectionError)


def test_a_driver_that_says_nothing_is_not_classified() -> None:
    assert postgresql_errors.classify(RuntimeError("no state")) is None
