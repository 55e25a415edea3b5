"""Runs work on a connection that holds the lock for migrations, in Alembic's environment or without it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.cqrs import ConfigurationError, TransientError
from app.persistence.engine import postgresql, sqlite
from app.persistence.engine.errors import unusable
from app.persistence.engine.mapping import map_aggregates
from app.persistence.schema.applied import SERVICE
from app.persistence.schema.revisions import alembic_config

LOCK_ID = 0x61707064
PATIENCE_SECONDS = 3600


def run_in_alembic(settings: Settings, work: Callable[[Any], Any]) -> Any:
    """Run `work` in Alembic's environment: `op` is usable, and `context.begin_transaction()` begins transactions."""
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    def run(connection: Connection) -> Any:
        config = alembic_config(connection=connection)
        scripts = ScriptDirectory.from_config(config)
        results: list[Any] = []

        def steps(_: Any, context: Any) -> list[Any]:
            connection.commit()  # ends the transaction in which Alembic read its own table
            results.append(work(context))
            return []

        with EnvironmentContext(config, scripts, fn=steps):
            scripts.run_env()
        return results[0]

    return run_alone(settings, run)


def run_alone(settings: Settings, work: Callable[[Connection], Any]) -> Any:
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
            connection.info[SERVICE] = settings.service_name
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
