"""The record of the migrations applied to a database: all of them, since the last one does not imply the others.

Alembic's own table has only the last. It is still written, for older releases that read it. If it differs from what was
written last, something other than `app db` has migrated the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Boolean, Column, Connection, DateTime, MetaData, String, Table, Text, inspect, select

from app.core.config import UNNAMED
from app.core.cqrs import ConfigurationError, TransientError
from app.persistence.engine.database import Database
from app.persistence.engine.errors import unusable
from app.persistence.schema.revisions import Revisions

SERVICE = "service"
"""The key in `connection.info` under which a migrating connection has the name of its service."""
logger = structlog.get_logger(__name__)

schema = MetaData()
RECORD = Table(
    "applied_revisions",
    schema,
    Column("revision", Text, primary_key=True),
    Column("applied_at", DateTime(timezone=True)),  # NULL if begun but not finished
    Column("is_head", Boolean, nullable=False),
    Column("service", Text, nullable=False),  # the service that applied it
)
VERSION = Table("alembic_version", schema, Column("version_num", String(32), primary_key=True))


@dataclass(frozen=True)
class Applied:
    """The record of one database.

    Attributes:
        finished: the applied migrations.
        begun: migrations that were begun and not finished: a part of them was committed.
        heads: the last migrations, as they were last written.
        versions: the content of Alembic's own table.
        services: the owners of the database: the names of the services that applied the heads, if they had names.
        exists: whether there is a record.
    """

    finished: frozenset[str] = frozenset()
    begun: frozenset[str] = frozenset()
    heads: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    exists: bool = field(default=True)

    def missing(self, revisions: Revisions) -> list[str]:
        """The migrations of the code that were not applied to this database, in order."""
        return [one for one in revisions.known if one not in self.finished]

    def unknown(self, revisions: Revisions) -> list[str]:
        """The migrations of this database that the code does not have: another release applied them."""
        return sorted((self.finished | self.begun).difference(revisions.known))

    def require_of(self, service: str) -> None:
        """Make sure that the database does not belong to another service, whose events would be mixed with its own.

        Raises:
            ConfigurationError: if it does; the message says what to do.
        """
        if self.services and service not in {*self.services, UNNAMED}:
            raise ConfigurationError(
                f"The database belongs to {listed(self.services)}, and this is {service}: set DATABASE_URL to one of "
                f"its own. If it is the same service under a new name, run `app db mark {min(self.heads)} applied`."
            )

    def require_clear(self) -> None:
        """Make sure that the record is unambiguous: no migration is unfinished, and Alembic's table agrees.

        Raises:
            ConfigurationError: if it is ambiguous; the message says what to do.
        """
        if self.begun:
            one = min(self.begun)
            raise ConfigurationError(
                f"Migration {one} was begun and did not end: a part of it may be in the database. Finish it by hand "
                f"and run `app db mark {one} applied`, or undo it and run `app db mark {one} missing`."
            )
        if self.exists and self.versions != self.heads:
            raise ConfigurationError(
                f"A tool other than `app db` has migrated this database: it was at {listed(self.heads)}, and "
                f"alembic_version says {listed(self.versions)}. For each migration in question, run "
                "`app db mark REVISION applied`, or `missing`."
            )

    def require_complete(self, revisions: Revisions) -> None:
        """Make sure that the database has all migrations of the code; it may have more.

        Raises:
            ConfigurationError: if not, or if the record is ambiguous; the message says what to run.
        """
        if not self.exists:
            state = "has no record of its migrations yet" if self.versions else "has no tables yet"
            raise ConfigurationError(
                f"The database {state}, but needs migration {revisions.newest}: run `app db upgrade`."
            )
        self.require_clear()
        if missing := self.missing(revisions):
            raise ConfigurationError(f"The database lacks the migrations {', '.join(missing)}: run `app db upgrade`.")


def read(connection: Connection) -> Applied:
    """Read the record of the database; it is empty if the database was never migrated."""
    tables = inspect(connection)
    versions: frozenset[str] = frozenset()
    if tables.has_table(VERSION.name):
        versions = frozenset(connection.scalars(select(VERSION.c.version_num)))
    if not tables.has_table(RECORD.name):
        return Applied(versions=versions, exists=False)
    rows = list(connection.execute(select(RECORD)))
    return Applied(
        finished=frozenset(row.revision for row in rows if row.applied_at is not None),
        begun=frozenset(row.revision for row in rows if row.applied_at is None),
        heads=frozenset(row.revision for row in rows if row.is_head),
        versions=versions,
        services=frozenset(row.service for row in rows if row.is_head and row.service != UNNAMED),
    )


def listed(revisions: Iterable[str]) -> str:
    """Their names, as a sentence has them."""
    return ", ".join(sorted(revisions)) or "none"


async def require_migrated(database: Database, revisions: Revisions) -> None:
    """Make sure, when the service starts, that the database is its own, and has all migrations of the code.

    A replica is checked for its owner alone, since it may lag behind.

    Raises:
        ConfigurationError: if not, or if the record is ambiguous; the message says what to do.
    """
    try:
        await database.require_settings()
        records = []
        for engine in dict.fromkeys((database.latest_engine, database.reading_engine)):
            async with engine.connect() as connection:
                records.append(await connection.run_sync(read))
    except TransientError as error:
        raise unusable() from error
    for record in records:
        record.require_of(database.service_name)
    records[0].require_complete(revisions)
    if strange := records[0].unknown(revisions):
        # During a rollout, a process of the old release may start on the new schema.
        logger.warning("unknown_migrations_found", revisions=strange, newest_known=revisions.newest)
