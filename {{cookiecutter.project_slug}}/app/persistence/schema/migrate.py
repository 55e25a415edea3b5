"""The commands of `app db`, which migrate the schema. Alembic's files are in `migrations/`."""

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
    """Apply all missing migrations in order, each in a transaction of its own.

    Raises:
        ConfigurationError: if a migration fails, the code has no single last migration, the record is ambiguous or of
            another service, or a record that had to be assumed does not fit the tables.
    """
    revisions = read_revisions()
    revisions.newest  # noqa: B018 - refuses two last migrations before anything is done
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
    """Downgrade the database to a revision: its id, `-1` for one step, or `base` for the empty schema.

    Raises:
        ConfigurationError: if the database has no such revision, a migration fails, or the record is ambiguous.
    """
    revisions = read_revisions()
    _in_alembic(settings, partial(_take_back, revisions, revision))


def create_revision(settings: Settings, message: str) -> Path:
    """Generate the next migration from the differences between the tables in the code and the database.

    Its id is the current time, so that two developers do not choose the same one.

    Returns:
        The new file.

    Raises:
        ConfigurationError: if the database is not up to date, or the code has two last migrations.
    """
    from alembic import command

    revisions = read_revisions()
    if revisions.known:
        revisions.newest  # noqa: B018 - refuses two last migrations
    name = _name_for_now(revisions)

    def write(connection: Connection) -> Any:
        _require_complete(connection, revisions)
        config = alembic_config(connection=connection)
        return command.revision(config, message=message, rev_id=name, autogenerate=True)

    return Path(_run(settings, write).path)


def merge_revisions(message: str) -> Path:
    """Generate a merge migration: it changes nothing, and follows all last migrations.

    Returns:
        The new file.

    Raises:
        ConfigurationError: if there are fewer than two to merge.
    """
    from alembic import command

    revisions = read_revisions()
    last = revisions.heads_of(revisions.known)
    if len(last) < 2:
        raise ConfigurationError(f"There is nothing to be joined: {', '.join(last) or 'none'} is the last migration.")
    script: Any = command.merge(alembic_config(), last, message=message, rev_id=_name_for_now(revisions))
    return Path(script.path)


def check(settings: Settings) -> None:
    """Make sure that all migrations are applied, and that the resulting tables are those of the code.

    Raises:
        ConfigurationError: if not; the message says what to run.
    """
    from alembic import command

    revisions = read_revisions()

    def compare(connection: Connection) -> None:
        _require_complete(connection, revisions)
        command.check(alembic_config(connection=connection))

    _run(settings, compare)


def mark(settings: Settings, revision: str, state: str) -> None:
    """Record that a migration is `applied` or `missing`, without running it.

    Raises:
        ConfigurationError: if neither the code nor the database knows the revision, or the state is another word.
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
    """Make sure, when the service starts, that the database is its own, and has all migrations of the code.

    Raises:
        ConfigurationError: if not, or if the record is ambiguous; the message says what to do.
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
        # During a rollout, a process of the old release may start on the new schema.
        logger.warning("database_is_newer", revisions=strange, newest_known=revisions.newest)


def require_complete(record: applied.Applied, revisions: Revisions) -> None:
    """Make sure that the database has all migrations of the code; it may have more.

    Raises:
        ConfigurationError: if not, or if the record is ambiguous; the message says what to run.
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
    """Turn an error into one that names the failing migration."""
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
    """Run `work` in Alembic's environment: `op` is usable, and `context.begin_transaction()` begins transactions."""
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    def run(connection: Connection) -> None:
        config = alembic_config(connection=connection)
        scripts = ScriptDirectory.from_config(config)

        def steps(_: Any, context: Any) -> list[Any]:
            connection.commit()  # ends the transaction in which Alembic read its own table
            work(context)
            return []

        with EnvironmentContext(config, scripts, fn=steps):
            scripts.run_env()

    _run(settings, run)


def _run(settings: Settings, work: Callable[[Connection], Any]) -> Any:
    """Run `work` on a connection, while holding the lock for migrations."""
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
    """Wait for the lock for migrations, and hold it inside.

    On PostgreSQL, a transaction of a second connection holds the lock. Those of the migrations end between them, and a
    session-level lock would not hold behind a pooler, which gives each transaction another session.
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
        # The last statement must not be a SELECT: CREATE INDEX CONCURRENTLY would wait for its snapshot.
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield
