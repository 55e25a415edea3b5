from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.user.create_admin_handler import CreateAdminCommand
from app.handlers.user.get_user_handler import GetUserQuery
from tests.users import PASSWORD, People


async def test_an_administrator_may_log_in_and_has_both_roles(people: People) -> None:
    root = await people.administrator()
    assert (await root.login()).is_success
    assert (await root.query(GetUserQuery(root.id))).unwrap().roles == ("admin", "member")


async def test_the_rules_are_those_of_every_user(bus: CQRSBus, people: People) -> None:
    ada = await people.member()
    for command, status, named in (
        (CreateAdminCommand("nowhere", "short"), OperationStatus.VALIDATION_ERROR, {"email", "password"}),
        (CreateAdminCommand(ada.email, PASSWORD), OperationStatus.CONFLICT, {"email"}),
    ):
        result = await bus.execute_command(command)
        assert (result.status, set(result.errors)) == (status, named)
        assert PASSWORD not in repr(command)
