from sqlalchemy import delete

from app.composition.container import RunningService
from app.persistence.engine.database import Database
from app.persistence.tables import users
from tests.rows import deliver_again, notices_of
from tests.users import People


async def test_a_new_user_is_welcomed_once_however_often_the_event_comes(
    service: RunningService, people: People
) -> None:
    ada = await people.member(full_name="Ada")
    await deliver_again(service)
    (welcome,) = await notices_of(service, "welcome")
    assert (welcome.user_id, welcome.read_at) == (ada.id, None)
    assert "Hello Ada" in welcome.body
    database = await service.container.get(Database)
    async with database.writing() as session, session.begin():
        await session.execute(delete(users))
    await deliver_again(service)
    assert await notices_of(service, "welcome") == [], "Who is gone is not welcomed."
