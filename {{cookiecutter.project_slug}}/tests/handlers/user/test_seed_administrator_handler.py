from app.core.cqrs import CQRSBus
from app.handlers.user.find_users_handler import FindUsersQuery
from app.handlers.user.login_handler import LoginCommand
from app.handlers.user.seed_administrator_handler import SeedAdministratorCommand
from tests.users import People


async def test_there_is_one_after_the_first_time_and_no_more_after_the_second(bus: CQRSBus, people: People) -> None:
    await people.member()
    seeded = (await bus.execute_command(SeedAdministratorCommand())).unwrap()
    assert seeded is not None
    assert seeded.password not in repr(seeded)
    assert (await bus.execute_command(LoginCommand(seeded.email, seeded.password))).is_success
    assert (await bus.execute_command(SeedAdministratorCommand())).unwrap() is None


async def test_an_administrator_made_by_hand_is_enough(bus: CQRSBus, people: People) -> None:
    root = await people.administrator()
    assert (await bus.execute_command(SeedAdministratorCommand())).unwrap() is None
    assert (await root.query(FindUsersQuery())).is_success
