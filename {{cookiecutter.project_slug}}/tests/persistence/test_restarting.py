"""What is stored outlives the process that stored it."""

from uuid import UUID

from app.composition.container import running_service
from app.core.config import Settings
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.update_user_handler import UpdateUserCommand
from app.persistence.repositories.user_repository import UserRepository
from tests.rows import events_of
from tests.users import People, Person


async def test_what_was_stored_is_there_after_a_restart(settings: Settings) -> None:
    async with running_service(settings) as service:
        ada = await People(service.bus).member(full_name="Ada")
        bob = await People(service.bus).member(email="bob@example.org", username="bob")
    async with running_service(settings) as service:
        again = Person(service.bus, ada.id, ada.email, ada.username)
        assert (await again.query(GetUserQuery(ada.id))).unwrap().full_name == "Ada"
        (await again.command(UpdateUserCommand(ada.id, full_name="Ada King"))).unwrap()
        async with service.container() as operation:
            users = await operation.get(UserRepository)
            assert [await users.exists(user_id) for user_id in (ada.id, bob.id, UUID(int=7))] == [True, True, False]
        happened = [(row.event_type, row.aggregate_id) for row in await events_of(service, "User")]
        assert happened[-1] == ("UserUpdated", str(ada.id))
