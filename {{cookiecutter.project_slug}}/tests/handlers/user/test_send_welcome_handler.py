from sqlalchemy import delete

from app.composition.container import RunningService
from app.persistence.engine.database import Database
from app.persistence.tables import notifications, users
from tests.rows import deliver_again, rows_of
from tests.users import People


async def test_a_new_user_is_welcomed_once_however_often_the_event_comes(
    service: RunningService, people: People
) -> None:
    ada = await people.member(full_name="Ada")
    await deliver_again(service)
    (welcome,) = await rows_of(service, notifications)
    assert (welcome.user_id, welcome.kind, welcome.read_at) == (ada.id, "welcome", None)
    assert "Hello Ada" in welcome.body
    database = await service.container.get(Database)
    async with database.writing() as session, session.begin():
        await session.execute(delete(users))
    await deliver_again(service)
    assert await rows_of(service, notifications) == [], "Who is gone is not welcomed."
