from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from app.core.ids import uuid7
from app.persistence.engine.database import Database
from app.persistence.event_tables import event_log
from app.persistence.tables import notifications, registrations

MOMENTS = [
    datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=14))),
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 12, 30, tzinfo=UTC),
]


async def test_moments_come_back_aware_and_the_same_and_need_a_zone(database: Database) -> None:
    for moment in MOMENTS:
        new = {"event_id": uuid7(), "registered_at": moment}
        this = registrations.c.event_id == new["event_id"]
        async with database.writing() as session:
            await session.execute(insert(registrations), new)
            stored = await session.scalar(select(registrations.c.registered_at).where(this))
            assert stored and (stored, stored.tzinfo) == (moment, UTC)
            assert await session.scalar(select(this).where(this, registrations.c.registered_at <= moment))
    async with database.writing() as session:
        new = {"event_id": uuid7(), "registered_at": datetime(2026, 1, 1)}  # noqa: DTZ001
        with pytest.raises(Exception, match="without a zone"):
            await session.execute(insert(registrations), new)


async def test_no_time_is_no_time_and_json_is_json(database: Database) -> None:
    payload = {"text": "ü 😀", "list": [1, 2.5, None, True], "nested": {"a": {}}}
    row = {"event_type": "x", "payload": payload, "metadata": {}, "occurred_at": datetime.now(UTC)}
    async with database.writing() as session:
        await session.execute(insert(event_log).values(id=uuid4(), **row))
        assert await session.scalar(select(event_log.c.payload)) == payload
        assert (await session.execute(select(notifications.c.read_at))).all() == []
