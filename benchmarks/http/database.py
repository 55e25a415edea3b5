"""A database of its own on a running server."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

SERVER = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432")


@asynccontextmanager
async def fresh_database(*, is_synchronous: bool) -> AsyncIterator[str]:
    """The URL of an empty database that is dropped in the end.

    Args:
        is_synchronous: whether a COMMIT waits for the disk, as PostgreSQL does unless it is told otherwise.
    """
    name = f"benchmark_{os.getpid()}_{uuid4().hex[:8]}"
    await _order(f'CREATE DATABASE "{name}"')
    try:
        await _order(f'ALTER DATABASE "{name}" SET synchronous_commit = {"on" if is_synchronous else "off"}')
        yield f"{SERVER}/{name}?ssl=disable"
    finally:
        await _order(f'DROP DATABASE "{name}" WITH (FORCE)')


async def _order(statement: str) -> None:
    connection = await asyncpg.connect(f"{SERVER}/postgres", timeout=5, ssl=False)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
