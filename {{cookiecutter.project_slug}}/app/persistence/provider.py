"""Registers persistence with the container."""

from collections.abc import AsyncIterator
from typing import cast

from dishka import Provider, provide
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.cqrs import AccessPolicy, UnitsOfWork
from app.core.discovery import discover
from app.core.scopes import Lifetime
from app.persistence import repositories
from app.persistence.access import DatabaseAccess, OpenLogins
from app.persistence.credentials import Credentials
from app.persistence.engine.database import Database
from app.persistence.engine.sessions import ReadSession, close
from app.persistence.events.event_sourcing import EventStreams
from app.persistence.schema.revisions import Revisions, read_revisions
from app.persistence.sweeping import Sweeper
from app.persistence.unit_of_work import SqlUnitsOfWork, current_unit


class RepositoryProvider(Provider):
    """The classes in `repositories`, each anew for each attempt of an operation. Present means active."""

    def __init__(self) -> None:
        super().__init__(scope=Lifetime.OPERATION)
        for repository in discover(repositories.__name__).classes:
            self.provide(repository)


class PersistenceProvider(Provider):
    """The database, one for the service, and a session for each attempt of an operation."""

    access = provide(DatabaseAccess, scope=Lifetime.SERVICE, provides=AccessPolicy)
    open_logins = provide(OpenLogins, scope=Lifetime.SERVICE)
    units = provide(SqlUnitsOfWork, scope=Lifetime.SERVICE, provides=UnitsOfWork)
    credentials = provide(Credentials, scope=Lifetime.SERVICE)
    sweeper = provide(Sweeper, scope=Lifetime.SERVICE)

    streams = provide(EventStreams, scope=Lifetime.OPERATION)

    @provide(scope=Lifetime.SERVICE)
    def revisions(self) -> Revisions:
        """The migrations of the code, which the database must have had; they are read once."""
        return read_revisions()

    @provide(scope=Lifetime.SERVICE)
    async def database(self, settings: Settings) -> AsyncIterator[Database]:
        """The database; its engines are closed with the service."""
        database = Database(settings)
        yield database
        await database.close()

    @provide(scope=Lifetime.OPERATION)
    async def session(self, database: Database) -> AsyncIterator[AsyncSession]:
        """The session of the unit of work in a `@transactional` operation, otherwise a read-only session."""
        unit = current_unit()
        if unit is not None:
            yield unit.session  # closed by the unit of work
            return
        session = database.reading()
        reading = cast(ReadSession, session.sync_session)
        failed: BaseException | None = yield session
        try:
            if failed is None:
                reading.refuse_changes()
        finally:
            reading.is_over = True
            await close(session, has_connection=reading.has_transaction)
