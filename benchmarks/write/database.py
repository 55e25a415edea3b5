"""Who may send parcels, and how many rows there are."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select

from app.core.config import Settings
from app.domain.user import MEMBER, User
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log
from app.persistence.tables import idempotency_keys, login_sessions, role_permissions
from benchmarks.write.service.by_hand import PERMISSION
from benchmarks.write.service.parcels import metadata, parcels


async def prepare(settings: Settings) -> UUID:
    """Make the tables, and somebody who may send parcels and is logged in; who that is, and the id of the login."""
    database, now = Database(settings), datetime.now(UTC)
    user = User(id=uuid4(), email="a@example.org", username="sender", full_name="A", password_hash="-", created_at=now)  # noqa: S106
    try:
        async with database.writing_engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.execute(insert(role_permissions).values(role=MEMBER, permission=PERMISSION))
        async with database.writing() as session, session.begin():
            session.add(user)
            await session.flush()
            login = {"id": user.id, "user_id": user.id, "created_at": now, "expires_at": now + timedelta(days=1)}
            await session.execute(insert(login_sessions).values(login))
    finally:
        await database.close()
    return user.id


async def rows(settings: Settings) -> dict[str, int]:
    """How many rows there are now."""
    database = Database(settings)
    try:
        async with database.reading() as session:
            tables = (parcels, event_log, idempotency_keys)
            return {table.name: await session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}
    finally:
        await database.close()
