"""Which migrations a database has had: all of them are on record, since the last one's name does not tell the others.

Alembic's own table has only the last. It is kept as well, for older releases that look there; what it says must be what
was written last, or something else has migrated the database.
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
"""Where a connection that migrates has the name of its service."""
logger = structlog.get_logger(__name__)

schema = MetaData()
RECORD = Table(
    "applied_revisions",
    schema,
    Column("revision", Text, primary_key=True),
    Column("applied_at", DateTime(timezone=True)),  # none where it was begun and not finished
    Column("is_head", Boolean, nullable=False),
    Column("service", Text, nullable=False),  # whose database it was then
)
VERSION = Table("alembic_version", schema, Column("version_num", String(32), primary_key=True))


@dataclass(frozen=True)
class Applied:
    """What a database has on record.

    Attributes:
        finished: the migrations it has had.
        begun: those that were begun and did not end: a part of them was committed.
        heads: the last ones, as they were written the last time.
        versions: what Alembic's own table says.
        services: whose database it is: what those were called who applied the last ones, as far as they knew.
        exists: whether there is a record.
    """

    finished: frozenset[str] = frozenset()
    begun: frozenset[str] = frozenset()
    heads: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    exists: bool = field(default=True)

    def missing(self, revisions: Revisions) -> list[str]:
        """The migrations of the code that this database has not had, in their order."""
        return [one for one in revisions.known if one not in self.finished]

    def unknown(self, revisions: Revisions) -> list[str]:
        """The migrations of this database that the code does not have: another release brought them."""
        return sorted((self.finished | self.begun).difference(revisions.known))

    def require_of(self, service: str) -> None:
        """Make sure that this is no database of another service: each would take the other's events for its own.

        Raises:
            ConfigurationError: it is one; the sentence says what to do.
        """
        if self.services and service not in {*self.services, UNNAMED}:
            raise ConfigurationError(
                f"The database is that of {_listed(self.services)}, and this is {service}: set DATABASE_URL to one of "
                f"its own. If it is the same service under a new name, say `app db mark {min(self.heads)} applied`."
            )

    def require_clear(self) -> None:
        """Make sure that it is certain which migrations it has had.

        Raises:
            ConfigurationError: it is not; the sentence says what to do.
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
    """Read what the database has on record; nothing where it was never migrated."""
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
    """Begin the record, where there is none.

    A database from before it had what comes before its last migration, except for what the template has put there
    since: it came with the record or after it.

    Returns:
        The migrations that the database is taken to have had.

    Raises:
        ConfigurationError: it is at a migration that the code does not have, so that nobody can tell.
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
    """Write what became of migrations, and which are the last ones now."""
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
