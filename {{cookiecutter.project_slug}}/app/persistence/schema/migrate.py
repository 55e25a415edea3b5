"""The schema, step by step: what `app db` does. Alembic's files are in `migrations/`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.cqrs import ConfigurationError, TransientError
from app.persistence.engine import postgresql, sqlite
from app.persistence.engine.database import Database
from app.persistence.engine.errors import unusable
from app.persistence.engine.mapping import map_aggregates
from app.persistence.schema import applied
from app.persistence.schema.revisions import Revisions, alembic_config, read_revisions

LOCK_ID = 0x61707064
PATIENCE_SECONDS = 3600
logger = structlog.get_logger(__name__)


def upgrade(settings: Settings) -> None:
    """Apply each migration that the database has not had, in their order, in a transaction of its own.

    Raises:
        ConfigurationError: a migration failed, or it is not certain which are to be applied or which is the last.
    """
    revisions = read_revisions()
    revisions.newest  # noqa: B018 - two last ones are refused before anything is done
    assumed: set[str] = set()
    _in_alembic(settings, partial(_apply_missing, revisions, assumed))
    if not assumed:
        return
    try:
        check(settings)
    except ConfigurationError as error:
        raise ConfigurationError(
            "All migrations are applied. This database had no record of them: it was taken to have had "
            f"{', '.join(sorted(assumed))}. But its tables are not those of the code, as `app db check` says. If one "
            "of them was never run, say `app db mark REVISION missing`, then `app db upgrade`; if all is as you want "
            "it, there is no more to do."
        ) from error


def downgrade(settings: Settings, revision: str) -> None:
    """Take the database back to a revision: its id, `-1` for one step, or `base` for nothing.

    Raises:
        ConfigurationError: there is no such revision, or it is not certain which ones the database has had.
    """
    revisions = read_revisions()
    _in_alembic(settings, partial(_take_back, revisions, revision))


def create_revision(settings: Settings, message: str) -> Path:
    """Write the next migration, from how the tables differ from what the database has.

    It is named after the time, so that two people who write one at once do not give them the same name.

    Returns:
        The new file.

    Raises:
        ConfigurationError: the database is not up to date.
    """
    from alembic import command

    revisions = read_revisions()
    if revisions.known:
        revisions.newest  # noqa: B018 - two last ones are refused
    name = _name_for_now(revisions)

    def write(connection: Connection) -> Any:
        _require_complete(connection, revisions)
        config = alembic_config(connection=connection)
        return command.revision(config, message=message, rev_id=name, autogenerate=True)

    return Path(_run(settings, write).path)


def merge_revisions(message: str) -> Path:
    """Write a migration that does nothing but follow all those that nothing follows.

    Returns:
        The new file.

    Raises:
        ConfigurationError: there are no two to be joined.
    """
    from alembic import command

    revisions = read_revisions()
    last = revisions.heads_of(revisions.known)
    if len(last) < 2:
        raise ConfigurationError(f"There is nothing to be joined: {', '.join(last) or 'none'} is the last migration.")
    script: Any = command.merge(alembic_config(), last, message=message, rev_id=_name_for_now(revisions))
    return Path(script.path)


def check(settings: Settings) -> None:
    """Make sure that the database has every migration, and the migrations every table.

    Raises:
        ConfigurationError: something is missing; it says what to run.
    """
    from alembic import command

    revisions = read_revisions()

    def compare(connection: Connection) -> None:
        _require_complete(connection, revisions)
        command.check(alembic_config(connection=connection))

    _run(settings, compare)


def mark(settings: Settings, revision: str, state: str) -> None:
    """Put on record that the database has had a migration (`applied`) or has not (`missing`); nothing is run.

    Raises:
        ConfigurationError: neither the code nor the database knows the revision, or there is no such state.
    """
    revisions = read_revisions()
    if state not in ("applied", "missing"):
        raise ConfigurationError(f"A migration is applied or missing, but not {state}.")

    def write(connection: Connection) -> None:
        with connection.begin():
            applied.begin_record(connection, revisions)
            if revision not in {*revisions.known, *applied.read(connection).unknown(revisions)}:
                raise ConfigurationError(f"Neither the code nor the database has a migration {revision}.")
            chosen = {"finished" if state == "applied" else "missing": [revision]}
            applied.note(connection, revisions, **chosen)

    _run(settings, write)


async def require_migrated(database: Database, revisions: Revisions) -> None:
    """Make sure, when the service starts, that the database is its own, and has had all migrations of the code.

    Raises:
        ConfigurationError: it is not, or has not, or it is not certain; the sentence says what to do.
    """
    try:
        await database.require_settings()
        async with database.reading_engine.connect() as connection:
            record = await connection.run_sync(applied.read)
    except TransientError as error:
        raise unusable() from error
    record.require_of(database.service_name)
    require_complete(record, revisions)
    if strange := record.unknown(revisions):
        # While a release is rolled out, the old one may be started once more on the new schema.
        logger.warning("database_is_newer", revisions=strange, newest_known=revisions.newest)


def require_complete(record: applied.Applied, revisions: Revisions) -> None:
    """Make sure that the database has had all migrations of the code. More than these may be on record.

    Raises:
        ConfigurationError: it has not, or it is not certain; the sentence says what to run.
    """
    if not record.exists:
        state = "has no record of its migrations yet" if record.versions else "has no tables yet"
        raise ConfigurationError(f"The database {state}, but needs migration {revisions.newest}: run `app db upgrade`.")
    record.require_clear()
    if missing := record.missing(revisions):
        raise ConfigurationError(f"The database lacks the migrations {', '.join(missing)}: run `app db upgrade`.")


def _name_for_now(revisions: Revisions) -> str:
    moment = datetime.now(UTC)
    while (name := f"{moment:%Y%m%d%H%M%S}") in revisions.known:
        moment += timedelta(seconds=1)
    return name


def _require_complete(connection: Connection, revisions: Revisions) -> None:
    if revisions.known:
        require_complete(applied.read(connection), revisions)


def _apply_missing(revisions: Revisions, assumed: set[str], context: Any) -> None:
    with context.begin_transaction():
        applied.read(context.connection).require_of(context.connection.info[applied.SERVICE])
        assumed |= applied.begin_record(context.connection, revisions)
    for one in revisions.known:
        with context.begin_transaction():
            record = applied.read(context.connection)
            record.require_clear()
            if one in record.finished:
                continue
            if strange := record.unknown(revisions):
                raise ConfigurationError(
                    f"Migration {one} is missing, but the database has {', '.join(strange)}, which this code does not "
                    "have. Bring both together in one code, or say `app db mark REVISION missing` of what is no more."
                )
            later = revisions.after(one, record.finished)
            with _told(one, f"It comes before {later[-1]}, which the database has had already. " if later else ""):
                applied.note(context.connection, revisions, begun=[one])
                revisions.modules[one].upgrade()
                applied.note(context.connection, revisions, finished=[one])


def _take_back(revisions: Revisions, target: str, context: Any) -> None:
    with context.begin_transaction():
        applied.begin_record(context.connection, revisions)
        record = applied.read(context.connection)
        record.require_of(context.connection.info[applied.SERVICE])
        record.require_clear()
        if strange := record.unknown(revisions):
            raise ConfigurationError(
                f"The database has {', '.join(strange)}, which this code does not have: take it back with the code "
                "that has."
            )
        steps = _steps_back(revisions, target, record)
    for one in steps:
        with context.begin_transaction(), _told(one, ""):
            applied.note(context.connection, revisions, begun=[one])
            revisions.modules[one].downgrade()
            applied.note(context.connection, revisions, missing=[one])


def _steps_back(revisions: Revisions, target: str, record: applied.Applied) -> list[str]:
    had = [one for one in reversed(revisions.known) if one in record.finished]
    if target == "base":
        return had
    if target.startswith("-") and target[1:].isdecimal():
        return had[: int(target[1:])]
    if target not in record.finished:
        raise ConfigurationError(f"The database has had no migration {target}; it has had {', '.join(reversed(had))}.")
    return revisions.after(target, record.finished)


@contextmanager
def _told(revision: str, where: str) -> Iterator[None]:
    """Name the migration that fails."""
    try:
        yield
    except Exception as error:
        logger.debug("migration_failed", revision=revision, exc_info=True)
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigurationError(
            f"Migration {revision} failed: {type(error).__name__}: {reason}. {where}"
            "The migrations before it are applied."
        ) from error


def _in_alembic(settings: Settings, work: Callable[[Any], None]) -> None:
    """Work where migrations run: `op` is there, and transactions are begun with `context.begin_transaction()`."""
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    def run(connection: Connection) -> None:
        config = alembic_config(connection=connection)
        scripts = ScriptDirectory.from_config(config)

        def steps(_: Any, context: Any) -> list[Any]:
            connection.commit()  # Alembic has looked at its own table
            work(context)
            return []

        with EnvironmentContext(config, scripts, fn=steps):
            scripts.run_env()

    _run(settings, run)


def _run(settings: Settings, work: Callable[[Connection], Any]) -> Any:
    """Do something with the schema, when nobody else does."""
    from alembic.util import CommandError

    try:
        return asyncio.run(_connected(settings, work))
    except TransientError as error:
        raise unusable() from error
    except CommandError as error:
        raise ConfigurationError(f"{str(error).rstrip('.')}: see `app db upgrade` and `app db revision`.") from error


async def _connected(settings: Settings, work: Callable[[Connection], Any]) -> Any:
    map_aggregates()
    on_sqlite = settings.database_url.startswith("sqlite")
    engine = (sqlite if on_sqlite else postgresql).migrating_engine(settings)
    try:
        if not on_sqlite:
            await postgresql.require_no_pooler(settings, engine)
        async with _alone(engine, on_sqlite), engine.connect() as connection:
            connection.info[applied.SERVICE] = settings.service_name
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _alone(engine: AsyncEngine, on_sqlite: bool) -> AsyncIterator[None]:
    """Wait until no other process migrates the database.

    On PostgreSQL, a transaction of another connection holds the lock: those of the migrations end between them, and a
    lock of the session does not hold where a pooler gives each transaction another one.
    """
    if on_sqlite:
        with sqlite.exclusively(engine, "migrations", PATIENCE_SECONDS) as mine:
            if not mine:
                raise ConfigurationError("Another process migrates this database, and has not ended within an hour.")
            yield
        return
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        await connection.execute(text("SET LOCAL lock_timeout = 0"))
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK_ID})"))
        # The last statement must be no SELECT: it would keep its snapshot, for which CREATE INDEX CONCURRENTLY waits.
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield
