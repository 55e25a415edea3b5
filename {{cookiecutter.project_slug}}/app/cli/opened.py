"""Opens the database for commands that inspect it without starting the service."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.cli.terminal import quiet_settings
from app.persistence.engine.database import Database

R = TypeVar("R")


def with_database(use: Callable[[Database], Awaitable[R]]) -> R:
    """Run a function with the database. A replica is left out, because an operator needs current data.

    Raises:
        ConfigurationError: if it cannot be reached, or is not up to date.
    """
    return asyncio.run(_opened(use))


async def _opened(use: Callable[[Database], Awaitable[R]]) -> R:
    from app.persistence.schema.applied import require_migrated
    from app.persistence.schema.revisions import read_revisions

    database = Database(quiet_settings().model_copy(update={"read_database_url": None}))
    try:
        await require_migrated(database, read_revisions())
        return await use(database)
    finally:
        await database.close()
