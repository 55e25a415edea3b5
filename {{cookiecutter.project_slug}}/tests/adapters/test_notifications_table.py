from dataclasses import replace
from uuid import uuid4

from app.adapters.clock_system import SystemClock
from app.adapters.notifications_table import TableNotifications
from app.composition.container import RunningService
from app.domain.ports import Notification
from app.persistence.engine.database import Database
from app.persistence.repositories.user_repository import UserRepository
from app.persistence.tables import notifications
from tests.rows import rows_of
from tests.users import People


async def test_a_notification_is_sent_once_and_not_to_who_is_gone(service: RunningService, people: People) -> None:
    ada = await people.member()
    await service.bus.settled()
    database = await service.container.get(Database)
    hello = Notification(id=uuid4(), user_id=ada.id, kind="hello", subject="Hello", body="How are you?")
    async with database.writing() as session:
        sender = TableNotifications(session, SystemClock(), UserRepository(session))
        for told in (hello, hello, replace(hello, id=uuid4(), user_id=uuid4())):
            await sender.send(told)
        await session.commit()
    sent = [row for row in await rows_of(service, notifications) if row.kind == "hello"]
    assert [(row.id, row.user_id, row.read_at) for row in sent] == [(hello.id, ada.id, None)]
