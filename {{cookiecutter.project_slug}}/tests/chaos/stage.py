"""What scenarios play on: databases that are made for them, and the service as a process."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.config import UNNAMED, Settings
from app.persistence.schema import migrate
from tests.chaos import bank
from tests.chaos.callers import ServiceProcess
from tests.chaos.postgres import Postgres
from tests.chaos.servers import MissingError
from tests.databases import settings_for

TEMPLATE = "template_of_chaos"


@dataclass(frozen=True)
class Database:
    """A migrated database of one scenario, with empty accounts; `postgres` is the server, None for SQLite."""

    url: str
    accounts: Sequence[UUID]
    postgres: Postgres | None = None

    @property
    def kind(self) -> str:
        """How it is called in what chaos prints."""
        return "SQLite" if self.postgres is None else "PostgreSQL"

    @property
    def name(self) -> str:
        """Its name on the server, or its file."""
        return self.url.rpartition("/")[2].partition("?")[0]

    def settings(self, **values: Any) -> Settings:
        """The settings of a service on it."""
        return settings_for(self.url, **values)

    def of_process(self, **values: Any) -> dict[str, Any]:
        """The same for a process of its own."""
        secret = self.settings().secret_key.get_secret_value()
        known = {"environment": "test", "secret_key": secret, "log_level": "warning", "database_url": self.url}
        return known | {"password_time_cost": 1, "password_memory_kib": 8} | values

    @property
    def driver_url(self) -> str:
        """The same with the driver's name, for SQLAlchemy."""
        return self.settings().database_url


@dataclass
class Stage:
    """One run of chaos."""

    folder: Path
    full: bool
    random: random.Random
    stack: AsyncExitStack
    left_out: list[str] = field(default_factory=list)
    _postgres: Postgres | None = None

    def size(self, reduced: int, full: int) -> int:
        """How much of something there is to be."""
        return full if self.full else reduced

    async def open(self) -> None:
        """Migrate a database of each kind for services of any name, and start PostgreSQL; others are copies."""
        await asyncio.to_thread(migrate.upgrade, settings_for(self._sqlite(TEMPLATE), service_name=UNNAMED))
        await _make_tables(self._sqlite(TEMPLATE))
        try:
            self._postgres = Postgres(self.folder)
        except (MissingError, KeyError) as missing:  # the program, or the user it has to run as
            self.left_out.append(f"everything on PostgreSQL ({missing})")
            return
        self.stack.push_async_callback(self._postgres.remove)
        await self._postgres.start()
        await self._postgres.ask(f"CREATE DATABASE {TEMPLATE}")
        url = self._on_postgres(self._postgres, TEMPLATE)
        await asyncio.to_thread(migrate.upgrade, settings_for(url, service_name=UNNAMED))
        await _make_tables(url)

    async def databases(self, accounts: int) -> AsyncIterator[Database]:
        """A new database of each kind that there is, with so many accounts."""
        yield await self.sqlite(accounts)
        if self._postgres is not None:
            yield await self.postgres(accounts)

    @property
    def has_postgres(self) -> bool:
        """Whether PostgreSQL is installed."""
        return self._postgres is not None

    @property
    def postgres_url(self) -> str | None:
        """The URL of the PostgreSQL server, without a database; None if it is not installed."""
        return self._postgres.url if self._postgres else None

    async def sqlite(self, accounts: int) -> Database:
        """A new file."""
        name = f"chaos_{uuid4().hex}"
        shutil.copy(self.folder / f"{TEMPLATE}.db", self.folder / f"{name}.db")
        url = self._sqlite(name)
        return Database(url, await _open_accounts(url, accounts))

    async def postgres(self, accounts: int) -> Database:
        """A new database on the server, which runs."""
        assert self._postgres is not None, "ask has_postgres"
        if not self._postgres.program.running:
            await self._postgres.start()
        name = f"chaos_{uuid4().hex}"
        await self._postgres.ask(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        url = self._on_postgres(self._postgres, name)
        return Database(url, await _open_accounts(url, accounts), self._postgres)

    @asynccontextmanager
    async def service(self, database: Database, **settings: Any) -> AsyncIterator[ServiceProcess]:
        """The service on a database, in a process of its own."""
        process = ServiceProcess(self.folder, **database.of_process(**settings))
        try:
            yield await process.start()
        finally:
            await process.stop()

    def _sqlite(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}.db"

    def _on_postgres(self, server: Postgres, name: str) -> str:
        return f"{server.url}/{name}?ssl=disable"


async def _make_tables(url: str) -> None:
    engine = create_async_engine(settings_for(url).database_url)
    async with engine.begin() as connection:
        await connection.run_sync(bank.metadata.create_all)
    await engine.dispose()


async def _open_accounts(url: str, how_many: int) -> list[UUID]:
    ids = [uuid4() for _ in range(how_many)]
    if not ids:
        return ids
    engine = create_async_engine(settings_for(url).database_url)
    async with engine.begin() as connection:
        await connection.execute(insert(bank.accounts), [{"id": id_, "balance": 0, "version": 0} for id_ in ids])
    await engine.dispose()
    return ids
