"""Be the only one who does something with the database, in this process and in all others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, select, text

from app.persistence.engine.database import Database
from app.persistence.engine.sqlite import exclusively

LOCK_ID = 0x61707072


@asynccontextmanager
async def alone(database: Database, purpose: str) -> AsyncIterator[bool]:
    """Whether nobody else does this now; so it stays inside. It ends with the process, however that ends."""
    if database.is_sqlite:
        with exclusively(database.writing_engine, purpose) as mine:
            yield mine
        return
    # Not of the pool that is written with inside: it may have one connection only.
    async with database.relaying_engine.begin() as connection:
        # Of a transaction: behind a pooler a session is nobody's own.
        mine = bool(await connection.scalar(select(func.pg_try_advisory_xact_lock(LOCK_ID, func.hashtext(purpose)))))
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield mine
