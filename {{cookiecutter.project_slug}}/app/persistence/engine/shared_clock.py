"""The clock that all processes of a service share: that of the server on PostgreSQL, that of the computer on SQLite.

What one process has stored is compared by this clock, since the clocks of two computers differ.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.column_types import UtcDateTime

SERVER_CLOCK = func.clock_timestamp(type_=UtcDateTime)
READ_CLOCK = select(SERVER_CLOCK)

STEP = timedelta(seconds=10)
"""How far the shared clock may be set back without making wait what is due at once."""

NOTICED = timedelta(seconds=5)
WARNING_SECONDS = 600.0
"""A lasting difference is logged once in this time."""

logger = structlog.get_logger(__name__)


def at_once(now: datetime) -> datetime:
    """When something is due that is due from now on: earlier, since the shared clock may be set back after this."""
    return now - STEP


async def shared_time(
    connection: AsyncConnection, own: Callable[[], datetime], read: Select[*tuple[Any, ...]] = READ_CLOCK
) -> datetime:
    """The time by the shared clock. A clock of this process that is far from it is logged.

    Args:
        connection: a connection to the database.
        own: reads the clock of this process, which is the shared one on SQLite.
        read: the statement that reads the server's clock, as its last column.
    """
    before = own()
    if connection.dialect.name == "sqlite":
        return before
    now: datetime = (await connection.execute(read)).one()[-1]
    if before - now > NOTICED or now - own() > NOTICED:  # the server read its clock between the two
        _tell_difference(round((before - now).total_seconds()), int(monotonic() / WARNING_SECONDS))
    return now


@lru_cache(maxsize=16)
def _tell_difference(seconds_ahead: int, period: int) -> None:
    """Log a difference: the cache lets each through once in a period."""
    logger.warning(
        "clock_skewed",
        seconds_ahead=seconds_ahead,
        reason="The clock of this process differs from that of the database server: synchronise both.",
    )
