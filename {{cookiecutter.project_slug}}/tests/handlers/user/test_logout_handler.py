from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.user.logout_handler import LogoutCommand
from app.handlers.user.refresh_tokens_handler import RefreshTokensCommand
from tests.users import People


async def test_after_logging_out_the_session_is_over_and_no_other(bus: CQRSBus, people: People) -> None:
    ada = await people.member()
    here, there = (await ada.login()).unwrap(), (await ada.login()).unwrap()
    for _ in range(2):
        assert (await bus.execute_command(LogoutCommand(here.refresh_token))).status is OperationStatus.NO_CONTENT
    refreshed = await bus.execute_command(RefreshTokensCommand(here.refresh_token))
    assert refreshed.status is OperationStatus.UNAUTHENTICATED
    assert (await bus.execute_command(RefreshTokensCommand(there.refresh_token))).is_success
    assert (await bus.execute_command(LogoutCommand("unknown"))).status is OperationStatus.NO_CONTENT
