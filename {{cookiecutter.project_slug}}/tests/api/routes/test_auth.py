"""Logging in, staying logged in, logging out."""

from datetime import UTC, datetime, timedelta
from time import time

import time_machine
from httpx2 import AsyncClient

from app.core.config import Settings
from tests.api.callers import Callers
from tests.databases import ON_SQLITE
from tests.users import PASSWORD

pytestmark = ON_SQLITE


async def test_the_login_is_the_email_address_or_the_username(client: AsyncClient, callers: Callers) -> None:
    ada = await callers.member()

    for login in (ada.email, ada.email.upper(), ada.username):
        answer = await client.post("/api/auth/login", data={"username": login, "password": PASSWORD})
        assert answer.status_code == 200
        assert set(answer.json()) >= {"access_token", "refresh_token", "token_type"}
        assert answer.json()["token_type"] == "bearer"
        assert answer.headers["cache-control"] == "no-store"


async def test_a_wrong_password_and_an_unknown_user_look_the_same(client: AsyncClient, callers: Callers) -> None:
    ada = await callers.member()
    wrong = await client.post("/api/auth/login", data={"username": ada.email, "password": "a guess"})
    unknown = await client.post("/api/auth/login", data={"username": "nobody@example.org", "password": "a guess"})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]
    assert "a guess" not in wrong.text + unknown.text


async def test_who_tries_too_often_waits(client: AsyncClient, settings: Settings) -> None:
    form = {"username": "ada", "password": "a guess"}
    for _ in range(settings.login_attempts):
        assert (await client.post("/api/auth/login", data=form)).status_code == 401
    refused = await client.post("/api/auth/login", data=form)

    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= settings.login_window_seconds


async def test_a_refresh_token_is_good_for_one_use(client: AsyncClient, callers: Callers, settings: Settings) -> None:
    ada = await callers.member()
    first = await client.post(  # a stale access token does not keep anybody from a new one
        "/api/auth/refresh", json={"refresh_token": ada.refresh_token}, headers=bearer("of yesterday")
    )
    lost = await client.post("/api/auth/refresh", json={"refresh_token": ada.refresh_token})
    going_on = await client.get("/api/users/me", headers=bearer(first.json()["access_token"]))
    with time_machine.travel(time() + settings.refresh_token_grace_seconds + 1, tick=False):
        stolen = await client.post("/api/auth/refresh", json={"refresh_token": ada.refresh_token})
        ended = await client.post("/api/auth/refresh", json={"refresh_token": first.json()["refresh_token"]})

    assert [answer.status_code for answer in (first, lost, going_on, stolen, ended)] == [200, 200, 200, 401, 401]
    assert lost.json()["refresh_token"] == first.json()["refresh_token"]
    assert (await client.get("/api/users/me", headers=bearer(first.json()["access_token"]))).status_code == 401


async def test_after_logging_out_a_session_does_not_go_on(client: AsyncClient, callers: Callers) -> None:
    ada = await callers.member()
    token = {"refresh_token": ada.refresh_token}

    assert (await client.post("/api/auth/logout", json=token)).status_code == 204
    assert (await client.post("/api/auth/logout", json=token)).status_code == 204
    assert (await client.post("/api/auth/refresh", json=token)).status_code == 401


async def test_an_access_token_expires(callers: Callers, settings: Settings) -> None:
    ada = await callers.member()
    later = datetime.now(UTC) + timedelta(seconds=settings.access_token_seconds + 1)

    with time_machine.travel(later):
        expired = await ada.get(ada.url)

    assert (expired.status_code, expired.headers["www-authenticate"]) == (401, "Bearer")
    assert "expired" in expired.json()["detail"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
