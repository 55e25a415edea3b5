from app.composition.container import RunningService
from app.core.cqrs import OperationStatus
from app.handlers.user.delete_user_handler import DeleteUserCommand
from app.handlers.user.get_user_handler import GetUserQuery
from app.persistence.tables import audit_log, login_sessions, notifications, user_roles, users
from tests.rows import events_of, rows_of
from tests.users import People


async def test_a_deleted_user_leaves_only_what_happened(service: RunningService, people: People) -> None:
    ada = await people.member(email="ada@example.org", username="ada")
    (await ada.login()).unwrap()
    await service.bus.settled()
    assert (await ada.command(DeleteUserCommand(ada.id))).status is OperationStatus.NO_CONTENT
    for table in (users, user_roles, login_sessions, notifications):
        assert await rows_of(service, table) == []
    assert [row.event_type for row in await events_of(service, "User")] == ["UserCreated", "UserDeleted"]
    assert [row.happened for row in await rows_of(service, audit_log)] == ["UserCreated", "UserDeleted"]
    assert (await ada.query(GetUserQuery(ada.id))).status is OperationStatus.UNAUTHENTICATED
    root = await people.administrator()
    assert (await root.command(DeleteUserCommand(ada.id))).status is OperationStatus.NOT_FOUND
    assert (await people.member(email="ada@example.org", username="ada")).id != ada.id, "The name is free again."
