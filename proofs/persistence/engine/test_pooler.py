"""A pooler between the service and PostgreSQL: what is promised holds behind it, or the start says why it cannot."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import insert, text
from structlog.testing import capture_logs

from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import ConfigurationError, ServiceUnavailableError, TransientError
from app.persistence.engine import postgresql, postgresql_errors
from app.persistence.engine.advisory_lock import alone
from app.persistence.engine.database import Database
from app.persistence.engine.sessions import at_one_moment
from app.persistence.events.listen_notify import listening
from app.persistence.schema import applied, migrate
from app.persistence.schema.revisions import read_revisions
from app.persistence.tables import roles
from support import given
from support.given import Do, DoRepeatedly, Look, Noted
from support.lines import Scripts
from support.pooling import client_of, needs_pgbouncer, pooled
from tests.core.cqrs.support import within_patience
from tests.databases import PostgresDatabases, ask_server, settings_for
from tests.lifespan import service_with
from tests.persistence import votes

pytestmark = pytest.mark.integration
TIMEOUTS = "statement_timeout,lock_timeout,idle_in_transaction_session_timeout"
KEEPALIVES = "tcp_keepalives_idle,tcp_keepalives_interval,tcp_keepalives_count"
IGNORED = f"{TIMEOUTS},{KEEPALIVES},default_transaction_read_only"
HANDLERS = ("app.handlers", "support.given")
MODES = ["session", "transaction"]


@pytest.fixture
def direct(postgres_databases: PostgresDatabases, tmp_path: Path) -> Iterator[str]:
    with postgres_databases.fresh(tmp_path) as url:
        yield url


@pytest.fixture
def empty(postgres_databases: PostgresDatabases, tmp_path: Path) -> Iterator[str]:
    with postgres_databases.empty(tmp_path) as url:
        yield url


@pytest.fixture(params=MODES)
async def behind(request: pytest.FixtureRequest, direct: str, tmp_path: Path) -> AsyncIterator[Settings]:
    """The settings of a service behind a PgBouncer of each kind, which knows none of our start-up parameters."""
    async with pooled(tmp_path, direct, request.param) as url:
        yield settings_for(url, database_pooler=True, database_pool_size=5, relay_poll_seconds=0.05)


@pytest.fixture
async def behind_one(direct: str, tmp_path: Path) -> AsyncIterator[Settings]:
    """The same, where all clients share one connection to PostgreSQL."""
    async with pooled(tmp_path, direct, "transaction", size=1) as url:
        yield settings_for(url, database_pooler=True, relay_in_service=False)


@asynccontextmanager
async def opened(settings: Settings, **values: Any) -> AsyncIterator[Database]:
    database = Database(settings.model_copy(update=values))
    yield database
    await database.close()


async def ask(handler: Any, statement: str) -> Any:
    return await handler.session.scalar(text(statement))


# What works


@needs_pgbouncer
async def test_what_many_clients_write_adds_up(behind: Settings, direct: str) -> None:
    async with client_of(direct) as other:
        await other.execute("CREATE TABLE ledger AS SELECT id, 0 AS balance FROM generate_series(1, 3) AS id")
    try:
        async with service_with(behind, HANDLERS) as one, service_with(behind, HANDLERS) as another:
            paid_in = [_pay_in(service, number % 3 + 1) for number in range(60) for service in (one, another)]
            await asyncio.gather(*paid_in)
        async with client_of(direct) as other:
            assert [row["balance"] for row in await other.fetch("SELECT balance FROM ledger ORDER BY id")] == [40] * 3
    finally:
        async with client_of(direct) as other:
            await other.execute("DROP TABLE ledger")


async def _pay_in(service: RunningService, account: int) -> None:
    async def body(handler: Any) -> None:
        balance = await ask(handler, f"SELECT balance FROM ledger WHERE id = {account} FOR UPDATE")
        await ask(handler, f"UPDATE ledger SET balance = {balance} + 1 WHERE id = {account} RETURNING id")

    (await service.bus.execute_command(DoRepeatedly(body))).unwrap()


@needs_pgbouncer
async def test_a_query_cannot_write(behind: Settings) -> None:
    two = [{"name": f"role {number}", "is_admin": True} for number in range(2)]

    async def one_by_one(handler: Any) -> None:
        await handler.session.execute(text("INSERT INTO roles (name, is_admin) VALUES ('boss', true)"))

    async def many_at_once(handler: Any) -> None:
        await (await handler.session.connection()).execute(insert(roles), two)

    async def after_a_commit(handler: Any) -> None:
        await handler.session.commit()
        await one_by_one(handler)

    async with service_with(behind, HANDLERS) as service:
        for body in (one_by_one, many_at_once, after_a_commit):
            refused = await service.bus.execute_query(Look(body))
            assert "can only read" in str(refused.error_message), body.__name__


@needs_pgbouncer
async def test_what_asked_for_one_moment_sees_one_and_cannot_write(behind: Settings) -> None:
    async def body(handler: Any) -> tuple[str, ...]:
        before = await ask(handler, "SHOW transaction_isolation")
        await at_one_moment(handler.session)
        names = ("transaction_isolation", "transaction_read_only")
        return before, *[await ask(handler, f"SHOW {name}") for name in names]

    async with service_with(behind, HANDLERS) as service:
        seen = (await service.bus.execute_query(Look(body))).unwrap()
    assert seen == ("read committed", "repeatable read", "on")


@needs_pgbouncer
async def test_a_statement_has_a_time_out(behind: Settings) -> None:
    async with opened(behind, database_statement_timeout_seconds=1) as database:
        for session in (database.reading(), database.writing()):
            async with session:
                with pytest.raises(ServiceUnavailableError, match="took too long"):
                    await within_patience(session.execute(text("SELECT pg_sleep(60)")))


@needs_pgbouncer
async def test_who_waits_for_a_lock_has_a_time_out(behind: Settings) -> None:
    lock = text("SELECT name FROM roles FOR UPDATE")
    async with (
        opened(behind) as database,
        opened(behind, database_lock_timeout_seconds=0.3) as impatient,
        database.writing() as holder,
        impatient.writing() as waiter,
    ):
        await holder.execute(lock)
        with pytest.raises(TransientError, match="busy"):
            await within_patience(waiter.execute(lock))


@needs_pgbouncer
async def test_a_transaction_that_stands_idle_is_ended(behind: Settings) -> None:
    lock = text("SELECT name FROM roles FOR UPDATE")
    async with (
        opened(behind, database_idle_transaction_timeout_seconds=4) as idle,
        opened(behind) as database,
        idle.writing() as holder,
        database.writing() as waiter,
    ):
        await holder.execute(lock)
        await within_patience(waiter.execute(lock))
        with pytest.raises(TransientError):
            await holder.execute(text("SELECT 1"))


@needs_pgbouncer
async def test_of_two_one_is_alone(behind: Settings, direct: str) -> None:
    async with opened(behind, database_idle_transaction_timeout_seconds=4) as one, opened(behind) as another:
        async with alone(one, "sums") as first, alone(another, "sums") as second, alone(another, "more") as third:
            assert (first, second, third) == (True, False, True)
            await within_patience(_two_stand_idle_too_long(direct))
        async with alone(another, "sums") as second:
            assert second


async def _two_stand_idle_too_long(direct: str) -> None:
    """For longer than a transaction may; then it would be ended."""
    idle = "state LIKE 'idle in%' AND now() - state_change > '4200 ms' AND datname = current_database()"
    async with client_of(direct) as other:
        while not await other.fetchval(f"SELECT count(*) >= 2 FROM pg_stat_activity WHERE {idle}"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@needs_pgbouncer
async def test_events_are_found_by_looking(behind: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = asyncio.Event()

    async def hear(_: Any) -> None:
        heard.set()

    async def happen(handler: Any) -> None:
        await handler.bus.publish_event(Noted(key="pooler"))

    monkeypatch.setitem(given.after, "pooler", hear)
    writing = behind.model_copy(update={"relay_in_service": False})
    with capture_logs() as logs:
        async with service_with(writing, HANDLERS) as service, running_service(behind, HANDLERS, worker=True):
            (await service.bus.execute_command(Do(happen))).unwrap()
            await within_patience(heard.wait())
    assert [line["event"] for line in logs].count("listening_left_out") == 1


@needs_pgbouncer
async def test_a_read_model_is_made_anew(behind: Settings) -> None:
    async with opened(behind) as database:
        async with database.writing_engine.begin() as connection:
            await connection.run_sync(votes.metadata.create_all)
        try:
            assert await votes.rebuilt(database) == 0
        finally:
            async with database.writing_engine.begin() as connection:
                await connection.run_sync(votes.metadata.drop_all)


@needs_pgbouncer
@pytest.mark.parametrize("mode", MODES)
async def test_a_database_is_migrated(empty: str, tmp_path: Path, mode: str) -> None:
    async with pooled(tmp_path, empty, mode) as url:
        settings = settings_for(url, database_pooler=True)
        await asyncio.to_thread(migrate.upgrade, settings)
        async with opened(settings) as database:
            await applied.require_migrated(database, read_revisions())


@needs_pgbouncer
async def test_a_migration_that_needs_a_connection_of_its_own_is_refused(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = Scripts(tmp_path / "scripts", monkeypatch)
    index = 'op.create_index("ix_ran_name", "ran", ["name"], postgresql_concurrently=True)'
    scripts.are({"0001": None, "a": "0001"}, a=f"with op.get_context().autocommit_block():\n        {index}")
    async with pooled(tmp_path, empty, "transaction") as url:
        with pytest.raises(ConfigurationError, match="Migration a failed.* the address of PostgreSQL itself"):
            await asyncio.to_thread(migrate.upgrade, settings_for(url, database_pooler=True))
    await asyncio.to_thread(migrate.mark, settings_for(empty), "a", "missing")
    await asyncio.to_thread(migrate.upgrade, settings_for(empty))


# What others do with a connection, and what is left to them


@needs_pgbouncer
async def test_what_others_left_on_a_connection_does_not_matter(behind_one: Settings) -> None:
    async with opened(behind_one) as database, client_of(behind_one.database_url.replace("+asyncpg", "")) as other:
        for name, value in {
            "default_transaction_read_only": "on",
            "default_transaction_isolation": "serializable",
            "search_path": "nowhere",
            "lock_timeout": "1",
            "statement_timeout": "10000",
            "idle_in_transaction_session_timeout": "1",
        }.items():
            await other.execute(f"SET {name} TO '{value}'")
        async with database.writing() as session:
            assert await session.scalar(text("SHOW transaction_isolation")) == "read committed"
            assert await session.scalar(text("SHOW lock_timeout")) == "10s"
            await session.execute(text("UPDATE roles SET is_admin = is_admin"))
        migrating = postgresql.migrating_engine(behind_one)
        async with migrating.connect() as connection:
            limits = [await connection.scalar(text(f"SHOW {name}")) for name in TIMEOUTS.split(",")]
        await migrating.dispose()
    assert limits == ["0", "0", "0"]


@needs_pgbouncer
async def test_nothing_is_left_on_a_connection_for_others(behind_one: Settings) -> None:
    async with opened(behind_one) as database, client_of(behind_one.database_url.replace("+asyncpg", "")) as other:
        async with database.reading() as session:
            await session.execute(text("SELECT name FROM roles WHERE is_admin = :so").bindparams(so=True))
        async with database.writing() as session:
            renamed = text("UPDATE roles SET name = :name WHERE name = :name")
            await (await session.connection()).execute(renamed, [{"name": "boss"}, {"name": "clerk"}])
            await session.commit()
        async with alone(database, "sums") as mine:
            assert mine
        async with listening(database, lambda: None):
            assert "event-listener" not in {task.get_name() for task in asyncio.all_tasks()}
        assert await other.fetchval("SHOW lock_timeout") == "0"
        assert await other.fetchval("SHOW transaction_read_only") == "off"
        assert await other.fetch("SELECT name FROM pg_prepared_statements WHERE name <> ''") == []
        locks = "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        assert await other.fetch(locks) == []


@needs_pgbouncer
async def test_a_table_that_was_changed_is_read_as_it_is_now(behind: Settings, direct: str) -> None:
    async with opened(behind, database_pool_size=1) as database, client_of(direct) as other:
        await other.execute("CREATE TABLE growing AS SELECT 1 AS number")
        try:
            for kind, number in (("int", 1), ("bigint", 1), ("text", "1")):
                await other.execute(f"ALTER TABLE growing ALTER number TYPE {kind}")
                async with database.reading() as session:
                    assert await session.scalar(text("SELECT number FROM growing")) == number
        finally:
            await other.execute("DROP TABLE growing")


@needs_pgbouncer
async def test_nothing_is_executed_outside_of_a_transaction(behind: Settings) -> None:
    plainly = {"isolation_level": "AUTOCOMMIT"}
    async with opened(behind) as database:
        async with database.writing_engine.connect() as connection:
            await connection.execution_options(**plainly)
            with pytest.raises(ConfigurationError, match="the address of PostgreSQL itself"):
                await connection.execute(text("CREATE INDEX CONCURRENTLY roles_again ON roles (name)"))
        async with database.reading() as session:
            await session.connection(execution_options=plainly)
            with pytest.raises(ConfigurationError, match="outside of a transaction"):
                await session.execute(text("SELECT 1"))


# What is refused at the start


@needs_pgbouncer
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ignored", ["", IGNORED], ids=["refuses settings", "leaves settings out"])
async def test_the_start_says_that_there_is_a_pooler(direct: str, tmp_path: Path, mode: str, ignored: str) -> None:
    async with pooled(tmp_path, direct, mode, ignored=ignored) as url:
        with pytest.raises(ConfigurationError, match=r"A pooler, such as PgBouncer, stands.*DATABASE_POOLER=true"):
            async with running_service(settings_for(url)):
                pass


@needs_pgbouncer
@pytest.mark.parametrize("mode", MODES)
async def test_so_do_migrations(direct: str, tmp_path: Path, mode: str) -> None:
    async with pooled(tmp_path, direct, mode) as url:
        with pytest.raises(ConfigurationError, match="A pooler, such as PgBouncer"):
            await asyncio.to_thread(migrate.upgrade, settings_for(url))


@needs_pgbouncer
async def test_so_it_is_where_only_commands_go_through_one(direct: str, tmp_path: Path) -> None:
    async with pooled(tmp_path, direct, "session", ignored=IGNORED) as url:
        with pytest.raises(ConfigurationError, match="A pooler, such as PgBouncer"):
            async with running_service(settings_for(url, read_database_url=direct)):
                pass


@needs_pgbouncer
@pytest.mark.parametrize("mode", MODES)
async def test_so_it_is_where_its_role_happens_to_have_the_settings(direct: str, tmp_path: Path, mode: str) -> None:
    role, settings = f"test_{uuid4().hex}", settings_for(direct)
    values = {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{settings.database_statement_timeout_seconds}s",
        "lock_timeout": f"{settings.database_lock_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{settings.database_idle_transaction_timeout_seconds}s",
    }
    await ask_server(f"CREATE ROLE {role} SUPERUSER LOGIN")
    try:
        for name, value in values.items():
            await ask_server(f"ALTER ROLE {role} SET {name} TO '{value}'")
        async with pooled(tmp_path, direct, mode, ignored=IGNORED, user=role) as url:
            with pytest.raises(ConfigurationError, match="A pooler, such as PgBouncer"):
                async with running_service(settings_for(url)):
                    pass
    finally:
        await ask_server(f"DROP ROLE {role}")


@needs_pgbouncer
async def test_statements_of_one_transaction_must_stay_together(direct: str, tmp_path: Path) -> None:
    async with pooled(tmp_path, direct, "statement") as url:
        with pytest.raises(ConfigurationError, match="does not keep the statements of a transaction together"):
            async with running_service(settings_for(url, database_pooler=True)):
                pass


@pytest.mark.parametrize("pooler", [False, True])
async def test_a_reading_connection_that_can_write_is_noticed(direct: str, pooler: bool) -> None:
    database, revisions = Database(settings_for(direct, database_pooler=pooler)), read_revisions()
    await applied.require_migrated(database, revisions)
    reading, database.reading_engine = database.reading_engine, database.writing_engine
    with pytest.raises(ConfigurationError, match="read-only mode"):
        await applied.require_migrated(database, revisions)
    database.reading_engine = reading
    await database.close()


def test_what_a_pooler_says_is_no_outage() -> None:
    error = asyncpg.ProtocolViolationError("unsupported startup parameter: statement_timeout")
    assert isinstance(postgresql_errors.classify(error), ConfigurationError)
