"""A database of its own on a running server, and who may send parcels."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import func, insert, select

from app.core.config import Settings
from app.domain.user import MEMBER, User
from app.persistence import migrate
from app.persistence.database import Database
from app.persistence.tables import event_log, idempotency_keys, role_permissions
from benchmarks.write.service.parcels import metadata, parcels
from benchmarks.write.service.through_bus import PERMISSION

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


async def prepare(settings: Settings) -> UUID:
    """Make the tables, and somebody who may send parcels; who that is."""
    database, now = Database(settings), datetime.now(UTC)
    user = User(id=uuid4(), email="a@example.org", username="sender", full_name="A", password_hash="-", created_at=now)  # noqa: S106
    try:
        async with database.writing_engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.execute(insert(role_permissions).values(role=MEMBER, permission=PERMISSION))
        async with database.writing() as session, session.begin():
            session.add(user)
    finally:
        await database.close()
    return user.id


def migrated(settings: Settings) -> None:
    """Make the tables of the service."""
    migrate.upgrade(settings)


async def rows(settings: Settings) -> dict[str, int]:
    """How many rows there are now."""
    database = Database(settings)
    try:
        async with database.reading() as session:
            tables = (parcels, event_log, idempotency_keys)
            return {table.name: await session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}
    finally:
        await database.close()
