"""A pooler between the service and PostgreSQL, which takes guarantees away, is refused with the true reason."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from app.core.container import running_service
from app.core.cqrs import ConfigurationError
from app.persistence import migrate, postgresql
from app.persistence.database import Database
from app.persistence.revisions import read_revisions
from tests.databases import PostgresDatabases, settings_for

pytestmark = pytest.mark.integration
IGNORED = "statement_timeout,lock_timeout,idle_in_transaction_session_timeout,default_transaction_read_only,jit"
needs_pgbouncer = pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="needs pgbouncer: apt-get install it")


@asynccontextmanager
async def pooled(folder: Path, direct: str, mode: str, ignored: str) -> AsyncIterator[str]:
    """The URL of a PgBouncer of this test's own in front of the database."""
    url = make_url(direct)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configured = folder / "pgbouncer.ini"
    configured.write_text(
        f"[databases]\n{url.database} = host={url.host} port={url.port or 5432} user={url.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = {mode}\nignore_startup_parameters = {ignored}\n"
    )
    user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    process = await asyncio.create_subprocess_exec(
        "pgbouncer", *user, str(configured), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            await _listens(port, process)
        yield url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int, process: asyncio.subprocess.Process) -> None:
    while True:
        assert process.returncode is None, "pgbouncer has ended"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


@pytest.fixture
def direct(postgres_databases: PostgresDatabases, tmp_path: Path) -> Iterator[str]:
    with postgres_databases.fresh(tmp_path) as url:
        yield url


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["session", "transaction"])
@pytest.mark.parametrize("ignored", ["", IGNORED], ids=["refuses settings", "leaves settings out"])
async def test_the_start_says_that_there_is_a_pooler(direct: str, tmp_path: Path, mode: str, ignored: str) -> None:
    async with pooled(tmp_path, direct, mode, ignored) as url:
        with pytest.raises(ConfigurationError, match="A pooler, such as PgBouncer, stands before the database"):
            async with running_service(settings_for(url)):
                pass


@needs_pgbouncer
async def test_so_it_is_where_only_commands_go_through_one(direct: str, tmp_path: Path) -> None:
    async with pooled(tmp_path, direct, "session", IGNORED) as url:
        with pytest.raises(ConfigurationError, match="A pooler, such as PgBouncer"):
            async with running_service(settings_for(url, read_database_url=direct)):
                pass


async def test_a_reading_connection_that_can_write_is_noticed(direct: str) -> None:
    database, revisions = Database(settings_for(direct)), read_revisions()
    await migrate.require_migrated(database, revisions)
    reading, database.reading_engine = database.reading_engine, database.writing_engine
    with pytest.raises(ConfigurationError, match="read-only mode"):
        await migrate.require_migrated(database, revisions)
    database.reading_engine = reading
    await database.close()


def test_what_a_pooler_says_is_no_outage() -> None:
    error = asyncpg.ProtocolViolationError("unsupported startup parameter: statement_timeout")
    assert isinstance(postgresql.classify(error), ConfigurationError)
