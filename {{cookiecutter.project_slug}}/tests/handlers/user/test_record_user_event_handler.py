from app.composition.container import RunningService
from app.core.cqrs import OperationStatus
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.persistence.tables import audit_log
from tests.rows import rows_of
from tests.users import People


async def test_it_is_written_down_who_did_what_to_whom(service: RunningService, people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    command = DeactivateUserCommand(ada.id)
    (await root.command(command)).unwrap()
    registered, *others = await rows_of(service, audit_log)
    assert (registered.happened, registered.user_id, registered.done_by) == ("UserCreated", ada.id, None)
    (entry,) = [row for row in others if row.happened == "UserDeactivated"]
    assert (entry.user_id, entry.done_by) == (ada.id, str(root.id))
    assert entry.operation_id == command.metadata.operation_id
    assert (await root.command(DeactivateUserCommand(ada.id))).status is OperationStatus.BUSINESS_RULE
    assert await rows_of(service, audit_log) == [registered, *others], "What did not happen is not written down."
