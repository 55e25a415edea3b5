from uuid import uuid4

from pydantic import SecretStr

from app.composition.container import RunningService
from app.core.config import Settings
from app.core.cqrs import CommandResult, CQRSBus, OperationStatus
from app.domain.ports import AccessTokens
from app.handlers.user.refresh_tokens_handler import RefreshTokensCommand
from app.persistence.tables import login_sessions, refresh_tokens
from app.read_models.token_views import TokensView
from tests.lifespan import service_with
from tests.rows import let_pass, rows_of
from tests.users import People


async def refresh(bus: CQRSBus, token: str) -> CommandResult[TokensView]:
    return await bus.execute_command(RefreshTokensCommand(token))


async def test_each_token_is_good_for_the_next_pair_until_the_session_ends(
    service: RunningService, people: People
) -> None:
    ada = await people.member()
    tokens = await service.container.get(AccessTokens)
    pair = first = (await ada.login()).unwrap()
    for _ in range(3):
        pair = (await refresh(service.bus, pair.refresh_token)).unwrap()
        read = tokens.read(pair.access_token)
        assert (read.user_id, read.session_id) == (ada.id, tokens.read(first.access_token).session_id)
    assert (await refresh(service.bus, "garbage")).status is OperationStatus.UNAUTHENTICATED
    await let_pass(service, service.settings.refresh_token_seconds + 1, login_sessions)
    assert (await refresh(service.bus, pair.refresh_token)).status is OperationStatus.UNAUTHENTICATED


async def test_a_login_that_is_used_goes_on_and_keeps_few_tokens(service: RunningService, people: People) -> None:
    pair = (await (await people.member()).login()).unwrap()
    lifetime = service.settings.refresh_token_seconds
    for _ in range(4):
        await let_pass(service, lifetime - 60, login_sessions, refresh_tokens)
        pair = (await refresh(service.bus, pair.refresh_token)).unwrap()
    assert len(await rows_of(service, refresh_tokens)) == 3, "the next, the last, and the one before"
    await let_pass(service, lifetime + 1, login_sessions)
    assert (await refresh(service.bus, pair.refresh_token)).status is OperationStatus.UNAUTHENTICATED


async def test_a_token_that_is_used_again_later_ends_the_session_for_good(
    service: RunningService, people: People
) -> None:
    ada = await people.member()
    first, other = (await ada.login()).unwrap(), (await ada.login()).unwrap()
    second = (await refresh(service.bus, first.refresh_token)).unwrap()
    await let_pass(service, service.settings.refresh_token_grace_seconds + 1, refresh_tokens)
    assert (await refresh(service.bus, first.refresh_token)).status is OperationStatus.UNAUTHENTICATED
    assert (await refresh(service.bus, second.refresh_token)).status is OperationStatus.UNAUTHENTICATED
    assert sum(row.revoked_at is not None for row in await rows_of(service, login_sessions)) == 1
    assert (await refresh(service.bus, other.refresh_token)).is_success


async def test_a_new_secret_key_ends_all_logins(settings: Settings) -> None:
    other = settings.model_copy(update={"secret_key": SecretStr(str(uuid4()))})
    async with service_with(settings) as service, service_with(other) as restarted:
        pair = (await (await People(service.bus).member()).login()).unwrap()
        assert (await refresh(restarted.bus, pair.refresh_token)).status is OperationStatus.UNAUTHENTICATED
        assert (await refresh(service.bus, pair.refresh_token)).is_success, "an unknown token is no stolen one"
