"""A refresh whose answer was lost, or that two tabs asked for at once, is answered again; a thief's is not for long."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from app.adapters.clock_system import SystemClock
from app.composition.container import RunningService
from app.core.config import Settings, SettingsError, checked_settings
from app.core.cqrs import CQRSBus, OperationStatus
from app.domain.ports import AccessTokens
from app.handlers.user.change_password_handler import ChangePasswordCommand
from app.handlers.user.logout_handler import LogoutCommand
from app.handlers.user.refresh_tokens_handler import RefreshTokensCommand
from app.persistence.repositories.login_sessions import LoginSessions
from app.persistence.tables import login_sessions, refresh_tokens
from app.read_models.token_views import TokensView
from tests.lifespan import service_with
from tests.rows import let_pass, rows_of
from tests.users import PASSWORD, People

GRACE = 10.0


async def refreshed(bus: CQRSBus, token: str) -> TokensView | None:
    """The next pair; None if there is none."""
    result = await bus.execute_command(RefreshTokensCommand(token))
    assert result.is_success or result.status is OperationStatus.UNAUTHENTICATED
    return result.data


@pytest.fixture
async def first(people: People) -> TokensView:
    return (await (await people.member()).login()).unwrap()


async def test_a_lost_answer_is_given_again(service: RunningService, first: TokensView) -> None:
    tokens = await service.container.get(AccessTokens)
    second = await refreshed(service.bus, first.refresh_token)
    again = await refreshed(service.bus, first.refresh_token)
    assert second is not None
    assert again is not None
    assert again.refresh_token == second.refresh_token != first.refresh_token
    assert tokens.read(again.access_token) is not None
    third = await refreshed(service.bus, again.refresh_token)
    assert third is not None
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3


async def test_many_tabs_at_once_get_the_same(bus: CQRSBus, first: TokensView) -> None:
    pairs = await asyncio.gather(*(refreshed(bus, first.refresh_token) for _ in range(10)))
    assert None not in pairs
    (successor,) = {pair.refresh_token for pair in pairs if pair is not None}
    assert await refreshed(bus, successor) is not None


async def test_two_processes_at_once_give_the_same(settings: Settings) -> None:
    async with service_with(settings) as one, service_with(settings) as other:
        pair = (await (await People(one.bus).member()).login()).unwrap()
        for _ in range(3):
            pairs = await asyncio.gather(*(refreshed(bus, pair.refresh_token) for bus in (one.bus, other.bus) * 3))
            assert len({answer and answer.refresh_token for answer in pairs}) == 1
            assert pairs[0] is not None
            pair = pairs[0]
        assert len(await rows_of(one, refresh_tokens)) == 4


async def test_who_comes_when_the_next_one_was_used_is_no_honest_client(
    service: RunningService, first: TokensView
) -> None:
    """Its answer has arrived, so this one is a thief's, or the client's whose token a thief had."""
    second = await refreshed(service.bus, first.refresh_token)
    assert second is not None
    third = await refreshed(service.bus, second.refresh_token)
    assert third is not None
    assert await refreshed(service.bus, first.refresh_token) is None
    assert await refreshed(service.bus, third.refresh_token) is None
    assert [row.revoked_at is not None for row in await rows_of(service, login_sessions)] == [True]


async def test_a_thief_in_time_is_found_out_with_the_next_refresh(service: RunningService, first: TokensView) -> None:
    honest = await refreshed(service.bus, first.refresh_token)
    thief = await refreshed(service.bus, first.refresh_token)
    assert honest is not None
    assert thief is not None
    await let_pass(service, 600, refresh_tokens)
    of_thief = await refreshed(service.bus, thief.refresh_token)
    assert of_thief is not None
    await let_pass(service, 300, refresh_tokens)
    assert await refreshed(service.bus, honest.refresh_token) is None
    assert await refreshed(service.bus, of_thief.refresh_token) is None


@pytest.mark.parametrize(("seconds", "is_given"), [(1.0, True), (GRACE + 1, False), (GRACE + 60, False)])
async def test_after_a_few_seconds_a_used_token_is_a_stolen_one(
    service: RunningService, first: TokensView, seconds: float, is_given: bool
) -> None:
    second = await refreshed(service.bus, first.refresh_token)
    await let_pass(service, seconds, refresh_tokens)
    assert service.settings.refresh_token_grace_seconds == GRACE
    assert (await refreshed(service.bus, first.refresh_token) is not None) is is_given
    assert second is not None
    assert (await refreshed(service.bus, second.refresh_token) is not None) is is_given


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[RunningService]:
    async with service_with(settings.model_copy(update={"refresh_token_grace_seconds": 0.0})) as running:
        yield running


async def test_without_grace_each_token_is_good_for_one_use(strict: RunningService) -> None:
    pair = (await (await People(strict.bus).member()).login()).unwrap()
    won = [answer for answer in [await refreshed(strict.bus, pair.refresh_token) for _ in range(2)] if answer]
    assert len(won) == 1
    assert await refreshed(strict.bus, won[0].refresh_token) is None


@pytest.mark.parametrize("how", ["logout", "password"])
async def test_what_was_ended_is_not_given_again(
    service: RunningService, people: People, how: str, first: TokensView
) -> None:
    ada = await people.member()
    pair = (await ada.login()).unwrap()
    assert await refreshed(service.bus, pair.refresh_token) is not None
    if how == "logout":
        (await service.bus.execute_command(LogoutCommand(pair.refresh_token))).unwrap()
    else:
        (await ada.command(ChangePasswordCommand(ada.id, PASSWORD, "another long password"))).unwrap()
    assert await refreshed(service.bus, pair.refresh_token) is None
    assert await refreshed(service.bus, first.refresh_token) is not None


async def test_the_next_token_needs_the_key_of_the_service_and_cannot_be_read_from_the_table(
    service: RunningService, first: TokensView
) -> None:
    (stored,) = await rows_of(service, refresh_tokens)
    second = await refreshed(service.bus, first.refresh_token)
    assert second is not None
    assert second.refresh_token != urlsafe_b64encode(stored.digest).rstrip(b"=").decode()
    other = service.settings.model_copy(update={"secret_key": SecretStr(str(uuid4()))})
    made = [LoginSessions(AsyncSession(), kept, SystemClock()) for kept in (service.settings, other)]
    successors = [sessions._successor(first.refresh_token) for sessions in made]
    assert [second.refresh_token == successor for successor in successors] == [True, False]


@pytest.mark.parametrize("seconds", [-1, 61, float("inf"), float("nan")])
def test_the_grace_has_bounds(seconds: float) -> None:
    with pytest.raises(SettingsError, match="REFRESH_TOKEN_GRACE_SECONDS is not valid"):
        checked_settings(refresh_token_grace_seconds=seconds)
