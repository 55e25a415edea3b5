from uuid import uuid4

from app.core.cqrs import OperationStatus
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.reactivate_user_handler import ReactivateUserCommand
from app.handlers.user.refresh_tokens_handler import RefreshTokensCommand
from tests.users import People


async def test_who_is_deactivated_is_out_at_once_and_may_come_back(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    pair = (await ada.login()).unwrap()
    assert (await ada.command(DeactivateUserCommand(ada.id))).status is OperationStatus.FORBIDDEN
    assert (await root.command(DeactivateUserCommand(ada.id))).status is OperationStatus.NO_CONTENT
    assert (await ada.login()).status is OperationStatus.UNAUTHENTICATED
    refreshed = await ada.bus.execute_command(RefreshTokensCommand(pair.refresh_token))
    assert refreshed.status is OperationStatus.UNAUTHENTICATED
    assert (await root.command(DeactivateUserCommand(ada.id))).status is OperationStatus.BUSINESS_RULE
    assert (await root.command(ReactivateUserCommand(ada.id))).status is OperationStatus.NO_CONTENT
    assert (await ada.login()).is_success
    assert (await root.command(ReactivateUserCommand(ada.id))).status is OperationStatus.BUSINESS_RULE
    for command in (DeactivateUserCommand(uuid4()), ReactivateUserCommand(uuid4())):
        assert (await root.command(command)).status is OperationStatus.NOT_FOUND
