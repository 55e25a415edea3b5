from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.get_user_stats_handler import GetUserStatsQuery
from app.read_models.user_views import UserStatsView
from tests.users import People


async def test_users_are_counted_by_state_and_role(people: People) -> None:
    root, ada = await people.administrator(), await people.member()
    await people.member()
    assert (await root.query(GetUserStatsQuery())).unwrap() == UserStatsView(
        total=3, active=3, inactive=0, by_role={"admin": 1, "member": 3}
    )
    (await root.command(DeactivateUserCommand(ada.id))).unwrap()
    assert (await root.query(GetUserStatsQuery())).unwrap().inactive == 1
