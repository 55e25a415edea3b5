"""PgBouncer, started for one test in front of its database."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

needs_pgbouncer = pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="needs pgbouncer: apt-get install it")


@asynccontextmanager
async def pooled(
    folder: Path, direct: str, mode: str, *, ignored: str = "", size: int = 20, user: str | None = None
) -> AsyncIterator[str]:
    """The URL of a PgBouncer of this test's own in front of the database.

    Args:
        folder: where its configuration is written.
        direct: the URL of the database.
        mode: what its clients get a connection for: `session`, `transaction` or `statement`.
        ignored: the start-up parameters that it takes, and does not pass on.
        size: how many connections to the database it has at most.
        user: who it connects as; None: whoever the URL names.
    """
    url = make_url(direct)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configured = folder / "pgbouncer.ini"
    configured.write_text(
        f"[databases]\n{url.database} = host={url.host} port={url.port or 5432} user={user or url.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = {mode}\ndefault_pool_size = {size}\nignore_startup_parameters = {ignored}\n"
    )
    of_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    process = await asyncio.create_subprocess_exec(
        "pgbouncer", *of_nobody, str(configured), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
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


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Another client of a database, or of a pooler, which has nothing to do with the service."""
    address = make_url(url).set(query={}).render_as_string(hide_password=False)
    connection = await asyncpg.connect(address, timeout=20, ssl=False, statement_cache_size=0)
    try:
        yield connection
    finally:
        await connection.close()
