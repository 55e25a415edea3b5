"""PgBouncer for chaos: few connections to PostgreSQL, which all transactions share."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from tests.chaos.servers import Server, installed
from tests.chaos.stage import Database

CONNECTIONS = 5


class PgBouncer(Server):
    """A pooler of transactions in front of one database. It refuses to run as root, so then it runs as `postgres`."""

    name = "pgbouncer"

    def __init__(self, folder: Path, database: Database) -> None:
        self._database = database
        super().__init__(folder)
        address = make_url(database.url)
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n{address.database} = host={address.host} port={address.port} user={address.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\nmax_client_conn = 1000\n"
            "server_login_retry = 1\n"
        )

    @property
    def url(self) -> str:
        """The database, by way of it."""
        return make_url(self._database.url).set(port=self.port).render_as_string(hide_password=False)

    @property
    def database(self) -> Database:
        """The same database, for who goes by way of it."""
        return replace(self._database, url=self.url)

    def arguments(self) -> Sequence[str]:
        """Where its configuration is."""
        return [installed(self.name, "/usr/sbin"), "pgbouncer.ini"]

    def user(self) -> str | None:
        """`postgres`, for root."""
        return "postgres" if os.geteuid() == 0 else None

    async def ready(self) -> bool:
        """Whether it passes a question on."""
        address = make_url(self.url).set(query={}).render_as_string(hide_password=False)
        try:
            connection = await asyncpg.connect(address, timeout=5, ssl=False, statement_cache_size=0)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        try:
            return bool(await connection.fetchval("SELECT true"))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        finally:
            connection.terminate()
