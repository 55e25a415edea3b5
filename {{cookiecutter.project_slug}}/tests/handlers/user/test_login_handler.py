import asyncio
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from app.adapters.password_argon2 import Argon2PasswordHasher
from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import ICommand, OperationStatus
from app.domain.ports import AccessTokens, PasswordHasher
from app.handlers.user.change_password_handler import ChangePasswordCommand
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.delete_user_handler import DeleteUserCommand
from app.handlers.user.login_handler import LoginCommand
from app.persistence.tables import login_sessions, refresh_tokens, users
from tests.core.cqrs.support import within_patience
from tests.databases import ON_SQLITE
from tests.rows import rows_of
from tests.users import PASSWORD, People

ENDINGS: dict[str, Callable[[UUID], ICommand[None]]] = {
    "changed": lambda user_id: ChangePasswordCommand(user_id, PASSWORD, "another long password"),
    "deactivated": DeactivateUserCommand,
    "deleted": DeleteUserCommand,
}


async def test_by_address_or_username_whatever_its_case_and_no_token_is_stored(
    service: RunningService, people: People
) -> None:
    ada = await people.member()
    tokens = await service.container.get(AccessTokens)
    for login in (ada.email, ada.email.upper(), ada.username, ada.username.upper()):
        pair = (await service.bus.execute_command(LoginCommand(login, PASSWORD))).unwrap()
        assert tokens.read(pair.access_token).user_id == ada.id
        assert (pair.token_type, pair.expires_in) == ("bearer", service.settings.access_token_seconds)
    sessions, kept = await rows_of(service, login_sessions), await rows_of(service, refresh_tokens)
    assert len(sessions) == 4
    assert pair.refresh_token not in repr(sessions) + repr(kept) + repr(pair)
    assert pair.access_token not in repr(pair)


async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(people: People) -> None:
    ada, root = await people.member(), await people.administrator()
    answers = [await ada.login("wrong password"), await ada.bus.execute_command(LoginCommand("nobody", PASSWORD))]
    (await root.command(DeactivateUserCommand(ada.id))).unwrap()
    answers.append(await ada.login())
    assert len({(answer.status, answer.error_message, str(answer.errors)) for answer in answers}) == 1
    assert answers[0].status is OperationStatus.UNAUTHENTICATED


@ON_SQLITE
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


@ON_SQLITE
async def test_a_login_that_nobody_decided_does_not_count(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_service(settings.model_copy(update={"login_attempts": 2})) as service:
        ada = await People(service.bus).member()
        hasher = await service.container.get(PasswordHasher)
        with monkeypatch.context() as overloaded:
            overloaded.setattr(hasher, "_most", 0)
            assert {(await ada.login()).status for _ in range(5)} == {OperationStatus.UNAVAILABLE}
        with monkeypatch.context() as waiting:
            verifying, never = asyncio.Event(), asyncio.Event()

            async def wait(*_: object) -> bool:
                verifying.set()
                return await never.wait()

            waiting.setattr(hasher, "verify", wait)
            for _ in range(5):
                verifying.clear()
                logging_in = asyncio.create_task(ada.login())
                await within_patience(verifying.wait())
                logging_in.cancel()
                await asyncio.wait([logging_in])
                assert logging_in.cancelled()
        guesses = [(await ada.login(f"guess {number}")).status for number in range(3)]
    assert guesses == [OperationStatus.UNAUTHENTICATED] * 2 + [OperationStatus.RATE_LIMITED]


@ON_SQLITE
async def test_guesses_are_counted_by_what_was_typed_so_that_none_tells_of_an_account(settings: Settings) -> None:
    async with running_service(settings.model_copy(update={"login_attempts": 3})) as service:
        ada = await People(service.bus).member()
        assert all([(await ada.login()).is_success for _ in range(4)])
        for typed in (ada.username, ada.email, str(ada.id), "nobody", "nobody@example.org"):
            guesses = [LoginCommand(login, "a guess") for login in (typed, typed.upper()) * 2]
            results = [(await service.bus.execute_command(guess)).status for guess in guesses]
            assert results == [OperationStatus.UNAUTHENTICATED] * 3 + [OperationStatus.RATE_LIMITED]


@ON_SQLITE
async def test_who_types_the_id_of_an_account_locks_nobody_out(settings: Settings) -> None:
    async with running_service(settings.model_copy(update={"login_attempts": 1})) as service:
        ada = await People(service.bus).member()
        await service.bus.execute_command(LoginCommand(str(ada.id), PASSWORD))
        assert (await ada.login()).is_success


async def test_a_login_renews_a_hash_of_another_cost_also_of_several_at_once(
    settings: Settings, service: RunningService, people: People
) -> None:
    ada, bob = await people.member(), await people.member()
    async with running_service(settings.model_copy(update={"password_time_cost": 2})) as dearer:
        login = LoginCommand(ada.username, PASSWORD)
        logins = await asyncio.gather(*(dearer.bus.execute_command(login) for _ in range(4)))
        assert {one.status for one in logins} == {OperationStatus.SUCCESS}
        assert not (await dearer.bus.execute_command(LoginCommand(bob.username, "wrong password"))).is_success
        renewed = {row.id: row.password_hash for row in await rows_of(service, users)}
        assert ["t=2," in renewed[person.id] for person in (ada, bob)] == [True, False]
        assert (await dearer.bus.execute_command(login)).is_success
        assert not (await dearer.bus.execute_command(LoginCommand(ada.username, "wrong password"))).is_success
    assert {row.id: row.password_hash for row in await rows_of(service, users)} == renewed


@pytest.mark.parametrize("time_cost", [1, 2])
@pytest.mark.parametrize("ending", ENDINGS)
async def test_what_ends_all_sessions_ends_one_that_is_just_beginning(
    settings: Settings,
    service: RunningService,
    people: People,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    time_cost: int,
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
    async with running_service(settings.model_copy(update={"password_time_cost": time_cost})) as other:
        logging_in = asyncio.create_task(replace(ada, bus=other.bus).login())
        await within_patience(checked.wait())
        (await (root if ending == "deactivated" else ada).command(ENDINGS[ending](ada.id))).unwrap()
        go_on.set()
        assert (await within_patience(logging_in)).status is OperationStatus.UNAUTHENTICATED
    assert [row for row in await rows_of(service, login_sessions) if row.user_id == ada.id] == []
