"""PostgreSQL for chaos, as a server that nobody else uses."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from tests.chaos.oracle import require
from tests.chaos.programs import as_user
from tests.chaos.servers import Server, installed


class Postgres(Server):
    """PostgreSQL. It refuses to run as root, so then it runs as `postgres`."""

    name = "postgresql"
    fast = signal.SIGINT
    immediate = signal.SIGQUIT

    @property
    def url(self) -> str:
        """The server; a name of a database is to follow."""
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def arguments(self) -> Sequence[str]:
        """It detects deadlocks quickly, because scenarios wait for that."""
        told = f"port={self.port} listen_addresses=127.0.0.1 max_connections=300 deadlock_timeout=200ms"
        options = [part for option in told.split() for part in ("-c", option)]
        return [_postgres_program("postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *options]

    def user(self) -> str | None:
        """`postgres`, for root."""
        return "postgres" if os.geteuid() == 0 else None

    async def start(self) -> None:
        """Start it; the first time, make its data."""
        if not (self.folder / "data").exists():
            await asyncio.to_thread(self._make_data)
        await super().start()

    async def ready(self) -> bool:
        """Whether it answers a question."""
        try:
            await self.ask("SELECT 1")
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        return True

    async def ask(self, statement: str, database: str = "postgres") -> list[asyncpg.Record]:
        """Execute a statement, as somebody who has nothing to do with the service."""
        connection = await asyncpg.connect(f"{self.url}/{database}", timeout=5, ssl=False)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    def _make_data(self) -> None:
        owner = self.user()
        if owner is not None:
            shutil.chown(self.folder, owner)
        initdb = [_postgres_program("initdb"), "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust", "-N"]
        made = subprocess.run(
            initdb, check=False, capture_output=True, text=True, env=self.env(), cwd=self.folder, **as_user(owner)
        )
        require(made.returncode == 0, f"PostgreSQL's initdb failed: {made.stderr}")


def _postgres_program(name: str) -> str:
    """PostgreSQL's own programs are often on no PATH."""
    configured = shutil.which("pg_config")
    folder = ""
    if configured is not None:
        folder = subprocess.run([configured, "--bindir"], check=True, capture_output=True, text=True).stdout.strip()
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_: int(bin_.parent.name), reverse=True)
    return installed(name, folder, *map(str, versions))
