from app.core.cqrs import OperationStatus
from app.handlers.user.create_admin_handler import CreateAdminCommand
from app.handlers.user.get_user_handler import GetUserQuery
from tests.users import PASSWORD, People


async def test_an_administrator_may_log_in_and_has_both_roles(people: People) -> None:
    root = await people.administrator()
    assert (await root.login()).is_success
    assert (await root.query(GetUserQuery(root.id))).unwrap().roles == ("admin", "member")
    again = await root.bus.execute_command(CreateAdminCommand(root.email, PASSWORD))
    assert (again.status, list(again.errors)) == (OperationStatus.CONFLICT, ["email"])
