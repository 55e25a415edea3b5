import asyncio

import pytest

from app.adapters.password_argon2 import Argon2PasswordHasher
from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import OperationStatus
from app.domain.ports import AccessTokens
from app.handlers.user.change_password_handler import ChangePasswordCommand
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.delete_user_handler import DeleteUserCommand
from app.handlers.user.login_handler import LoginCommand
from app.persistence.tables import login_sessions, refresh_tokens
from tests.core.cqrs.support import within_patience
from tests.rows import rows_of
from tests.users import PASSWORD, People


async def test_by_address_or_username_whatever_its_case(service: RunningService, people: People) -> None:
    ada = await people.member()
    tokens = await service.container.get(AccessTokens)
    for login in (ada.email, ada.email.upper(), ada.username, ada.username.upper()):
        pair = (await service.bus.execute_command(LoginCommand(login, PASSWORD))).unwrap()
        assert tokens.read(pair.access_token).user_id == ada.id
        assert (pair.token_type, pair.expires_in) == ("bearer", service.settings.access_token_seconds)
    assert len(await rows_of(service, login_sessions)) == 4


async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    answers = [await ada.login("wrong password"), await ada.bus.execute_command(LoginCommand("nobody", PASSWORD))]
    (await root.command(DeactivateUserCommand(ada.id))).unwrap()
    answers.append(await ada.login())
    assert len({(answer.status, answer.error_message, str(answer.errors)) for answer in answers}) == 1
    assert answers[0].status is OperationStatus.UNAUTHENTICATED


async def test_what_could_never_be_a_login_is_refused(people: People) -> None:
    ada = await people.member()
    for login, password in (("", "x"), ("x" * 255, "x"), ("ada", ""), ("ada", "x" * 129), ("a\x00", "\ud800")):
        result = await ada.bus.execute_command(LoginCommand(login, password))
        assert result.status is OperationStatus.VALIDATION_ERROR


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
async def test_who_guesses_too_often_waits_also_when_all_guesses_come_at_once(settings: Settings) -> None:
    async with running_service(settings.model_copy(update={"login_attempts": 3})) as service:
        people = People(service.bus)
        ada, bob = await people.member(), await people.member()
        guesses = await asyncio.gather(*(ada.login(f"guess {number}") for number in range(10)))
        assert sum(guess.status is OperationStatus.UNAUTHENTICATED for guess in guesses) == 3
        waiting = await ada.login()
        assert waiting.status is OperationStatus.RATE_LIMITED
        assert 0 < waiting.errors["retry_after"] <= settings.login_window_seconds
        assert (await bob.login()).is_success


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
async def test_an_account_has_as_many_guesses_by_either_name(settings: Settings) -> None:
    async with running_service(settings.model_copy(update={"login_attempts": 3})) as service:
        ada = await People(service.bus).member()
        guesses = [LoginCommand(login, f"guess {number}") for number in range(3) for login in (ada.email, ada.username)]
        results = [(await service.bus.execute_command(guess)).status for guess in guesses]
    assert results == [OperationStatus.UNAUTHENTICATED] * 3 + [OperationStatus.RATE_LIMITED] * 3


@pytest.mark.parametrize("what", ["changed", "deactivated", "deleted"])
async def test_what_ends_all_sessions_ends_one_that_is_just_beginning(
    service: RunningService, people: People, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    ada, root = await people.member(), await people.administrator()
    checked, go_on, verify = asyncio.Event(), asyncio.Event(), Argon2PasswordHasher.verify

    async def verify_and_wait(hasher: Argon2PasswordHasher, password: str, password_hash: str | None) -> bool:
        matches = await verify(hasher, password, password_hash)
        if not checked.is_set():
            checked.set()
            await go_on.wait()
        return matches

    monkeypatch.setattr(Argon2PasswordHasher, "verify", verify_and_wait)
    logging_in = asyncio.create_task(ada.login())
    await within_patience(checked.wait())
    if what == "changed":
        (await ada.command(ChangePasswordCommand(ada.id, PASSWORD, "another long password"))).unwrap()
    elif what == "deactivated":
        (await root.command(DeactivateUserCommand(ada.id))).unwrap()
    else:
        (await root.command(DeleteUserCommand(ada.id))).unwrap()
    go_on.set()
    assert (await within_patience(logging_in)).status is OperationStatus.UNAUTHENTICATED
    assert [row for row in await rows_of(service, login_sessions) if row.user_id == ada.id] == []


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
async def test_who_logs_in_may_do_so_as_often_as_they_like(settings: Settings) -> None:
    async with running_service(settings.model_copy(update={"login_attempts": 1})) as service:
        ada = await People(service.bus).member()
        assert all([(await ada.login()).is_success for _ in range(3)])


async def test_no_token_and_no_password_is_stored_or_shown(service: RunningService, people: People) -> None:
    ada = await people.member()
    pair = (await ada.login()).unwrap()
    stored = str(await rows_of(service, refresh_tokens)) + str(await rows_of(service, login_sessions))
    assert pair.refresh_token not in stored + repr(pair)
    assert pair.access_token not in repr(pair)
    assert PASSWORD not in repr(LoginCommand("ada", PASSWORD))
