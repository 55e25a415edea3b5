import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from app.adapters.tokens_jwt import JwtAccessTokens
from app.core.cqrs import AuthenticationError
from app.core.cqrs.testing import FixedClock
from tests.databases import settings_for

SETTINGS = settings_for("sqlite:///x.db", access_token_seconds=60)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def tokens(clock: FixedClock) -> JwtAccessTokens:
    return JwtAccessTokens(SETTINGS, clock)


def test_a_token_says_who_calls_in_which_session_until_it_expires(tokens: JwtAccessTokens, clock: FixedClock) -> None:
    user_id, session_id = uuid4(), uuid4()
    token = tokens.issue(user_id, session_id)
    clock.advance(59)
    read = tokens.read(token)
    assert (read.user_id, read.session_id) == (user_id, session_id)
    assert read.expires_at == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    clock.advance(1)
    with pytest.raises(AuthenticationError, match="expired"):
        tokens.read(token)


def test_tokens_of_another_secret_are_refused(tokens: JwtAccessTokens, clock: FixedClock) -> None:
    other = settings_for("sqlite:///x.db", secret_key="another secret, which is as long as that")
    with pytest.raises(AuthenticationError):
        tokens.read(JwtAccessTokens(other, clock).issue(uuid4(), uuid4()))


@pytest.mark.parametrize("service", ["orders-service", "app-2", "ap"])
def test_tokens_of_another_service_are_refused_though_the_secret_is_the_same(
    tokens: JwtAccessTokens, clock: FixedClock, service: str
) -> None:
    other = JwtAccessTokens(SETTINGS.model_copy(update={"service_name": service}), clock)
    for issuer, reader in ((tokens, other), (other, tokens)):
        with pytest.raises(AuthenticationError, match="not valid"):
            reader.read(issuer.issue(uuid4(), uuid4()))


def signed(claims: Any, key: bytes = SETTINGS.key_for("access tokens"), algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm)


def unsigned(claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join([base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts] + [""])


GOOD = {
    "iss": SETTINGS.service_name,
    "sub": str(UUID(int=1)),
    "sid": str(UUID(int=2)),
    "exp": datetime(2026, 1, 2, tzinfo=UTC),
}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "garbage",
        "a.b.c",
        "ü.ü.ü",
        "\ud800",
        "x" * 10_000,
        unsigned({**GOOD, "exp": 99_999_999_999}),
        signed(GOOD, key=b"k" * 32),
        signed(GOOD, algorithm="HS512", key=SETTINGS.key_for("access tokens") * 2),
        signed({**GOOD, "sub": "nobody"}),
        signed({**GOOD, "sid": "nowhere"}),
        signed({**GOOD, "exp": 10**30}),
        signed({key: value for key, value in GOOD.items() if key != "exp"}),
        signed({key: value for key, value in GOOD.items() if key != "sid"}),
        signed(GOOD)[:-3] + "abc",
    ],
)
def test_what_is_none_of_ours_is_refused(tokens: JwtAccessTokens, token: str) -> None:
    with pytest.raises(AuthenticationError, match="log in again"):
        tokens.read(token)


def test_a_good_token_made_by_hand_is_read(tokens: JwtAccessTokens) -> None:
    assert str(tokens.read(signed(GOOD)).user_id) == GOOD["sub"]
    assert tokens.lifetime_seconds == timedelta(minutes=1).total_seconds()
