from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import insert

from app.composition.container import RunningService
from app.handlers.user.get_unread_notifications_handler import GetUnreadNotificationsQuery
from app.persistence.engine.database import Database
from app.persistence.tables import notifications
from tests.users import People


async def test_what_is_unread_comes_the_newest_first(service: RunningService, people: People) -> None:
    ada, _ = await people.member(), await people.member()
    await service.bus.settled()
    now = datetime.now(UTC)
    database = await service.container.get(Database)
    async with database.writing() as session:
        for kind, read_at in (("read", now), ("late", None)):
            row = {"id": uuid4(), "user_id": ada.id, "kind": kind, "subject": "s", "body": "b", "read_at": read_at}
            await session.execute(insert(notifications).values(**row, sent_at=now + timedelta(hours=1)))
        await session.commit()
    found = (await ada.query(GetUnreadNotificationsQuery(ada.id))).unwrap()
    kinds = [notification.kind for notification in found]
    assert (kinds[0], kinds.count("welcome"), kinds.count("read")) == ("late", 1, 0)
