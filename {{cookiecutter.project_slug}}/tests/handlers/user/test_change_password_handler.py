import asyncio
from dataclasses import replace

import pytest

from app.composition.container import RunningService, running_service
from app.core.config import Settings
from app.core.cqrs import OperationStatus
from app.domain.ports import AccessTokens, PasswordHasher
from app.handlers.user.change_password_handler import ChangePasswordCommand
from app.handlers.user.login_handler import LoginCommand
from app.handlers.user.refresh_tokens_handler import RefreshTokensCommand
from tests.databases import ON_SQLITE
from tests.users import PASSWORD, People

NEW = "an even longer password"


async def test_only_the_new_password_logs_in_and_other_sessions_end(service: RunningService, people: People) -> None:
    ada = await people.member()
    here, there = (await ada.login()).unwrap(), (await ada.login()).unwrap()
    tokens = await service.container.get(AccessTokens)
    session_id = tokens.read(here.access_token).session_id
    refused = await ada.command(ChangePasswordCommand(ada.id, "wrong password", NEW, session_id))
    assert (refused.status, list(refused.errors)) == (OperationStatus.VALIDATION_ERROR, ["current_password"])
    changed = await ada.command(ChangePasswordCommand(ada.id, PASSWORD, NEW, session_id))
    assert changed.status is OperationStatus.NO_CONTENT
    assert (await ada.login()).status is OperationStatus.UNAUTHENTICATED
    assert (await ada.login(NEW)).is_success
    statuses = [
        (await service.bus.execute_command(RefreshTokensCommand(pair.refresh_token))).status for pair in (here, there)
    ]
    assert statuses == [OperationStatus.SUCCESS, OperationStatus.UNAUTHENTICATED]


async def test_of_two_changes_at_once_one_wins(people: People) -> None:
    ada = await people.member()
    changes = (ada.command(ChangePasswordCommand(ada.id, PASSWORD, f"{NEW} {number}")) for number in range(2))
    results = await asyncio.gather(*changes)
    (lost,) = [result for result in results if result.is_failure]
    assert lost.status in (OperationStatus.CONFLICT, OperationStatus.VALIDATION_ERROR)


async def test_a_login_that_renews_the_hash_in_the_meantime_refuses_no_change(
    settings: Settings, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await people.member()
    async with running_service(settings.model_copy(update={"password_time_cost": 2})) as dearer:
        hasher: PasswordHasher = await dearer.container.get(PasswordHasher)
        hash_one = hasher.hash

        async def log_in_first(password: str) -> str:
            monkeypatch.undo()
            (await dearer.bus.execute_command(LoginCommand(ada.username, PASSWORD))).unwrap()
            return await hash_one(password)

        monkeypatch.setattr(hasher, "hash", log_in_first)
        changed = await replace(ada, bus=dearer.bus).command(ChangePasswordCommand(ada.id, PASSWORD, NEW))
        assert changed.status is OperationStatus.NO_CONTENT
        assert (await ada.login(NEW)).is_success


@ON_SQLITE
async def test_a_change_that_nobody_decided_does_not_count(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_service(settings.model_copy(update={"login_attempts": 2})) as service:
        ada = await People(service.bus).member()
        with monkeypatch.context() as overloaded:
            overloaded.setattr(await service.container.get(PasswordHasher), "_most", 0)
            changes = [await ada.command(ChangePasswordCommand(ada.id, PASSWORD, NEW)) for _ in range(5)]
        assert {change.status for change in changes} == {OperationStatus.UNAVAILABLE}
        assert (await ada.command(ChangePasswordCommand(ada.id, PASSWORD, NEW))).is_success


@ON_SQLITE
async def test_who_guesses_too_often_waits(settings: Settings) -> None:
    async with running_service(settings.model_copy(update={"login_attempts": 2})) as service:
        ada = await People(service.bus).member()
        statuses = [(await ada.command(ChangePasswordCommand(ada.id, "wrong", NEW))).status for _ in range(3)]
    assert statuses == [OperationStatus.VALIDATION_ERROR] * 2 + [OperationStatus.RATE_LIMITED]
