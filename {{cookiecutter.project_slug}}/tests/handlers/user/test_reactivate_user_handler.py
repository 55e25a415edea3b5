from app.core.cqrs import OperationStatus
from app.handlers.user.reactivate_user_handler import ReactivateUserCommand
from tests.users import People


async def test_who_is_active_cannot_be_reactivated(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    assert (await root.command(ReactivateUserCommand(ada.id))).status is OperationStatus.BUSINESS_RULE
    assert (await ada.command(ReactivateUserCommand(ada.id))).status is OperationStatus.FORBIDDEN
