from app.core.cqrs import OperationStatus
from app.handlers.user.find_users_handler import FindUsersQuery
from app.handlers.user.revoke_role_handler import RevokeRoleCommand
from tests.users import People


async def test_a_role_is_gone_with_the_next_message(people: People) -> None:
    root, other = await people.administrator(), await people.administrator()
    assert (await other.query(FindUsersQuery())).is_success
    assert (await root.command(RevokeRoleCommand(other.id, "admin"))).status is OperationStatus.NO_CONTENT
    assert (await other.query(FindUsersQuery())).status is OperationStatus.FORBIDDEN


async def test_a_role_that_the_user_does_not_have_is_refused(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    result = await root.command(RevokeRoleCommand(ada.id, "admin"))
    assert (result.status, list(result.errors)) == (OperationStatus.BUSINESS_RULE, ["role"])
    assert (await root.command(RevokeRoleCommand(ada.id, ""))).status is OperationStatus.VALIDATION_ERROR
