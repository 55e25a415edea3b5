"""Advisory locks: at most one task in all processes performs a purpose at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, select, text

from app.persistence.engine.database import Database
from app.persistence.engine.sqlite import exclusively

LOCK_ID = 0x61707072


@asynccontextmanager
async def alone(database: Database, purpose: str) -> AsyncIterator[bool]:
    """Try to hold the lock of `purpose` inside; yields whether it was free. It ends at the latest with the process."""
    if database.is_sqlite:
        with exclusively(database.writing_engine, purpose) as mine:
            yield mine
        return
    # Not from the writing pool, which is used inside and may have only one connection.
    async with database.relaying_engine.begin() as connection:
        # A lock of the transaction, not of the session, which a pooler shares between clients.
        mine = bool(await connection.scalar(select(func.pg_try_advisory_xact_lock(LOCK_ID, func.hashtext(purpose)))))
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield mine
