from uuid import uuid4

from app.composition.container import RunningService
from app.core.cqrs import OperationStatus
from app.handlers.user.assign_role_handler import AssignRoleCommand
from app.handlers.user.find_users_handler import FindUsersQuery
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.revoke_role_handler import RevokeRoleCommand
from tests.rows import events_of
from tests.users import People


async def test_a_role_is_in_force_and_gone_with_the_next_message(service: RunningService, people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    assert (await ada.query(FindUsersQuery())).status is OperationStatus.FORBIDDEN
    for _ in range(2):
        assigned = await root.command(AssignRoleCommand(ada.id, "admin"))
        assert assigned.status is OperationStatus.NO_CONTENT
    assert (await ada.query(FindUsersQuery())).is_success
    assert (await ada.query(GetUserQuery(ada.id))).unwrap().roles == ("admin", "member")
    assert (await root.command(RevokeRoleCommand(ada.id, "admin"))).status is OperationStatus.NO_CONTENT
    assert (await ada.query(FindUsersQuery())).status is OperationStatus.FORBIDDEN
    _, *events = await events_of(service, "User", ada.id)
    assert [(row.event_type, row.payload["role"], row.metadata["user_id"]) for row in events] == [
        ("RoleAssigned", "admin", str(root.id)),
        ("RoleRevoked", "admin", str(root.id)),
    ]


async def test_what_cannot_be_assigned_or_revoked_is_refused(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    for command, status, named in (
        (AssignRoleCommand(ada.id, "unheard of"), OperationStatus.VALIDATION_ERROR, ["role"]),
        (AssignRoleCommand(uuid4(), "admin"), OperationStatus.NOT_FOUND, []),
        (RevokeRoleCommand(ada.id, "admin"), OperationStatus.BUSINESS_RULE, ["role"]),
    ):
        refused = await root.command(command)
        assert (refused.status, list(refused.errors)) == (status, named)
