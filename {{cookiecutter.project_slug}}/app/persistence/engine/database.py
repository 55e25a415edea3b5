"""The database of the service: its engines for writing, reading and event delivery, and sessions on them."""

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.core.config import Settings
from app.core.cqrs import PolicyError
from app.persistence.engine import postgresql, sqlite
from app.persistence.engine.mapping import map_aggregates
from app.persistence.engine.sessions import ReadSession, session_on
from app.persistence.engine.unit_session import UnitSession

LEVELS_OF_POSTGRESQL = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


class Database:
    """The engines of one service. Connections are opened when they are first needed."""

    def __init__(self, settings: Settings) -> None:
        map_aggregates()
        self._settings = settings
        self._has_replica = settings.read_database_url is not None
        self.service_name = settings.service_name
        self.is_sqlite = settings.database_url.startswith("sqlite")
        self.is_pooled = settings.database_pooler
        dialect = sqlite if self.is_sqlite else postgresql
        self.writing_engine: AsyncEngine = dialect.writing_engine(settings)
        self.reading_engine: AsyncEngine = dialect.reading_engine(settings)
        # Event delivery must see what was just committed, and a replica may lag behind.
        self.relaying_engine = self.latest_engine if self.is_sqlite else postgresql.relaying_engine(settings)
        self._at_level: dict[str, AsyncEngine] = {}

    def writing(self, isolation_level: str | None = None) -> AsyncSession:
        """A session of a unit of work; it opens no connection before its first statement."""
        return session_on(self._engine_at(isolation_level), UnitSession)

    def reading(self) -> AsyncSession:
        """A read-only session, possibly on a replica; use it with `async with`."""
        return session_on(self.reading_engine, ReadSession)

    @property
    def latest_engine(self) -> AsyncEngine:
        """The engine to read what was just committed with: never on a replica, which may lag behind."""
        return self.writing_engine if self._has_replica else self.reading_engine

    def reading_latest(self) -> AsyncSession:
        """A read-only session that sees what was just committed."""
        return session_on(self.latest_engine, ReadSession)

    def check_level(self, isolation_level: str) -> None:
        """Refuse an isolation level that this database lacks. SQLite accepts all: its own is the strongest.

        Raises:
            PolicyError: if the database lacks it; the message lists the levels.
        """
        if not self.is_sqlite and isolation_level not in LEVELS_OF_POSTGRESQL:
            raise PolicyError(
                f"PostgreSQL has no isolation level {isolation_level}; it has {', '.join(LEVELS_OF_POSTGRESQL)}."
            )

    async def require_settings(self) -> None:
        """Make sure that the configured time-outs and the read-only mode are in force on PostgreSQL.

        Raises:
            ConfigurationError: if a pooler between this service and the database removes them.
        """
        if not self.is_sqlite:
            await postgresql.require_settings(self._settings, self.writing_engine, self.reading_engine)

    async def close(self) -> None:
        """Close all connections."""
        await self.writing_engine.dispose()
        await self.reading_engine.dispose()
        await self.relaying_engine.dispose()

    def _engine_at(self, isolation_level: str | None) -> AsyncEngine:
        # Set on the engine, because it is ignored after the first statement of a transaction. SQLite's driver
        # refuses the names of weaker levels, and has no weaker level.
        if isolation_level is None or self.is_sqlite:
            return self.writing_engine
        if isolation_level not in self._at_level:
            engine = self.writing_engine.execution_options(isolation_level=isolation_level)
            self._at_level[isolation_level] = engine
        return self._at_level[isolation_level]
