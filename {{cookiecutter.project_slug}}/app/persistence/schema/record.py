"""Writes the record of the applied migrations, and Alembic's own table beside it."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, delete, insert, update

from app.core.cqrs import ConfigurationError
from app.persistence.schema.applied import RECORD, SERVICE, VERSION, Applied, listed, read, schema
from app.persistence.schema.revisions import BEFORE_THE_RECORD, Revisions

logger = structlog.get_logger(__name__)


def begin_record(connection: Connection, revisions: Revisions) -> set[str]:
    """Create the record if there is none. Returns the migrations that are assumed to be applied.

    An older database is assumed to have had all migrations up to its last one, except those that the template has
    inserted there later: they came with the record or after it.

    Raises:
        ConfigurationError: if the database is at a migration that the code does not have.
    """
    found = read(connection)
    if found.exists:
        return set()
    if strange := found.versions.difference(revisions.known):
        raise ConfigurationError(
            f"The database is at migration {listed(strange)}, which this code does not have, and has no record of "
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
