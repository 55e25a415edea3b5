"""The schema, step by step: what `app db` does. Alembic's files are in `migrations/`."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, column, inspect, select, table, text

from app.core.config import Settings
from app.core.cqrs import ConfigurationError, TransientError
from app.persistence import postgresql, sqlite
from app.persistence.database import Database
from app.persistence.errors import unusable
from app.persistence.mapping import map_aggregates

# Alembic takes longer to import than all the rest, and a running service does not need it.

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"
REVISION = re.compile(r"^revision\b.*=\s*[\"'](.+)[\"']", re.MULTILINE)
EARLIER = re.compile(r"^down_revision\b.*=\s*[\"'](.+)[\"']", re.MULTILINE)
LOCK_ID = 0x61707064
logger = structlog.get_logger(__name__)


def upgrade(settings: Settings) -> None:
    """Bring the database up to date.

    Raises:
        ConfigurationError: a migration cannot run, or it is not clear which is the last.
    """
    newest, _ = newest_revision()
    _run(settings, "upgrade", revision=newest)


def downgrade(settings: Settings, revision: str) -> None:
    """Take the database back to a revision: its id, `-1` for one step, or `base` for nothing.

    Raises:
        ConfigurationError: there is no such revision.
    """
    _run(settings, "downgrade", revision=revision)


def create_revision(settings: Settings, message: str) -> Path:
    """Write the next migration, from how the tables differ from what the database has.

    It is named after the time, so that two people who write one at once do not give them the same name.

    Returns:
        The new file.

    Raises:
        ConfigurationError: the database is not up to date.
    """
    moment, known = datetime.now(UTC), _migrations()
    while (revision := f"{moment:%Y%m%d%H%M%S}") in known:
        moment += timedelta(seconds=1)
    return Path(_run(settings, "revision", message=message, rev_id=revision, autogenerate=True).path)


def check(settings: Settings) -> None:
    """Make sure that the database has every migration, and the migrations every table.

    Raises:
        ConfigurationError: something is missing; it says what to run.
    """
    _run(settings, "check")


async def require_migrated(database: Database) -> None:
    """Make sure, when the service starts, that the database is up to date.

    Raises:
        ConfigurationError: it is not.
    """
    try:
        async with database.reading_engine.connect() as connection:
            version = await connection.run_sync(_version)
    except TransientError as error:
        raise unusable() from error
    newest, known = newest_revision()
    if version is not None and version not in known:
        # While a release is rolled out, the old one may be started once more on the new schema.
        logger.warning("database_is_newer", version=version, newest_known=newest)
    elif version != newest:
        state = "has no tables yet" if version is None else f"is at migration {version}"
        raise ConfigurationError(f"The database {state}, but needs migration {newest}: run `app db upgrade`.")


def newest_revision() -> tuple[str, set[str]]:
    """The last migration, and all of them.

    Raises:
        ConfigurationError: there is none, there are two that follow the same, or two of one name.
    """
    known = _migrations()
    newest = set(known) - set(known.values())
    if len(newest) != 1:
        listed = ", ".join(sorted(newest)) or "none"
        raise ConfigurationError(
            f"There must be one last migration in {SCRIPTS / 'versions'}, but there is: {listed}. "
            "Let one of them follow the other, by its `down_revision`."
        )
    return newest.pop(), set(known)


def _migrations() -> dict[str, str]:
    """Revision -> the one it follows; '' for the first."""
    found: dict[str, str] = {}
    for file in sorted((SCRIPTS / "versions").glob("*.py")):
        written = file.read_text()
        revision, earlier = REVISION.search(written), EARLIER.search(written)
        if revision is not None:
            if revision[1] in found:
                raise ConfigurationError(f"{file} has a revision that another has: give it its own, and let it follow.")
            found[revision[1]] = "" if earlier is None else earlier[1]
    return found


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
    return version


def _run(settings: Settings, command: str, **options: Any) -> Any:
    """Run one of Alembic's commands on a connection of its own, in one transaction."""
    from alembic.util import CommandError

    try:
        return asyncio.run(_connected(settings, command, options))
    except TransientError as error:
        raise unusable() from error
    except CommandError as error:
        raise ConfigurationError(f"{str(error).rstrip('.')}: see `app db upgrade` and `app db revision`.") from error


async def _connected(settings: Settings, command: str, options: dict[str, Any]) -> Any:
    map_aggregates()
    on_sqlite = settings.database_url.startswith("sqlite")
    engine = (sqlite if on_sqlite else postgresql).migrating_engine(settings)
    try:
        async with engine.begin() as connection:
            if not on_sqlite:  # SQLite's transaction locks the database anyway
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK_ID})"))
            return await connection.run_sync(_command, command, options)
    finally:
        await engine.dispose()


def _command(connection: Connection, command: str, options: dict[str, Any]) -> Any:
    from alembic import command as commands
    from alembic.config import Config

    # What there is to say, `app db` says; Alembic would write to the standard output of when it was imported.
    config = Config(stdout=StringIO(), attributes={"connection": connection})
    for name, value in {
        "script_location": SCRIPTS,
        "path_separator": "os",
        "file_template": "%(rev)s_%(slug)s",
    }.items():
        config.set_main_option(name, str(value).replace("%", "%%"))
    return getattr(commands, command)(config, **options)
