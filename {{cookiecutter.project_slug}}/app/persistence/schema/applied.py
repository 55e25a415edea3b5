"""The record of the migrations applied to a database: all of them, since the last one does not imply the others.

Alembic's own table has only the last. It is still written, for older releases that read it. If it differs from what was
written last, something other than `app db` has migrated the database.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    inspect,
    select,
    update,
)

from app.core.config import UNNAMED
from app.core.cqrs import ConfigurationError
from app.persistence.schema.revisions import BEFORE_THE_RECORD, Revisions

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
                f"The database is that of {_listed(self.services)}, and this is {service}: set DATABASE_URL to one of "
                f"its own. If it is the same service under a new name, say `app db mark {min(self.heads)} applied`."
            )

    def require_clear(self) -> None:
        """Make sure that the record is unambiguous: no migration is unfinished, and Alembic's table agrees.

        Raises:
            ConfigurationError: if it is ambiguous; the message says what to do.
        """
        if self.begun:
            one = min(self.begun)
            raise ConfigurationError(
                f"Migration {one} was begun and has not ended: a part of it may be in the database. Finish it by hand "
                f"and say `app db mark {one} applied`, or undo it and say `app db mark {one} missing`."
            )
        if self.exists and self.versions != self.heads:
            raise ConfigurationError(
                f"Something else than `app db` has migrated this database: it was at {_listed(self.heads)}, and "
                f"alembic_version says {_listed(self.versions)}. Say for each migration in question "
                "`app db mark REVISION applied`, or `missing`."
            )


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


def begin_record(connection: Connection, revisions: Revisions) -> set[str]:
    """Create the record if there is none.

    An older database is assumed to have had all migrations up to its last one, except those that the template has
    inserted there later: they came with the record or after it.

    Returns:
        The migrations that are assumed to be applied.

    Raises:
        ConfigurationError: if the database is at a migration that the code does not have.
    """
    found = read(connection)
    if found.exists:
        return set()
    if strange := found.versions.difference(revisions.known):
        raise ConfigurationError(
            f"The database is at migration {_listed(strange)}, which this code does not have, and has no record of "
            "those before it: run `app db upgrade` of the code that has it."
        )
    schema.create_all(connection)
    had = {one for one in revisions.up_to(found.versions) if BEFORE_THE_RECORD.match(one)}
    if had:
        logger.warning("applied_migrations_assumed", revisions=sorted(had))
        note(connection, revisions, finished=had)
    return had


def note(
    connection: Connection,
    revisions: Revisions,
    *,
    begun: Collection[str] = (),
    finished: Collection[str] = (),
    missing: Collection[str] = (),
) -> None:
    """Record which migrations are begun, finished or missing. Unless some are begun, the heads are updated, too."""
    connection.execute(delete(RECORD).where(RECORD.c.revision.in_([*begun, *finished, *missing])))
    moment, service = datetime.now(UTC), connection.info[SERVICE]
    rows: list[dict[str, Any]] = [{"revision": one, "applied_at": None} for one in begun]
    rows += [{"revision": one, "applied_at": moment} for one in finished]
    if rows:
        connection.execute(insert(RECORD).values(is_head=False, service=service), rows)
    if not begun:
        _write_heads(connection, revisions, read(connection))


def _write_heads(connection: Connection, revisions: Revisions, now: Applied) -> None:
    heads = {*revisions.heads_of(now.finished), *now.finished.difference(revisions.known)}
    connection.execute(update(RECORD).values(is_head=RECORD.c.revision.in_(heads)))
    connection.execute(delete(VERSION))
    if heads:
        connection.execute(insert(VERSION), [{"version_num": one} for one in sorted(heads)])


def _listed(revisions: Iterable[str]) -> str:
    return ", ".join(sorted(revisions)) or "none"
