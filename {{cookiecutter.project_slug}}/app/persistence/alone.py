"""Be the only one who does something with the database, in this process and in all others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, select

from app.persistence.database import Database
from app.persistence.sqlite import exclusively

LOCK_ID = 0x61707072


@asynccontextmanager
async def alone(database: Database, purpose: str) -> AsyncIterator[bool]:
    """Whether nobody else does this now; so it stays inside. It ends with the process, however that ends."""
    if database.is_sqlite:
        with exclusively(database.writing_engine, purpose) as mine:
            yield mine
        return
    lock = LOCK_ID, func.hashtext(purpose)
    # Not of the pool that is written with inside: it may have one connection only.
    engine = database.relaying_engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        mine = bool(await connection.scalar(select(func.pg_try_advisory_lock(*lock))))
        try:
            yield mine
        finally:
            if mine:
                await connection.execute(select(func.pg_advisory_unlock(*lock)))
