"""Access tokens as JSON Web Tokens, signed with HMAC SHA-256."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

import jwt
from jwt.utils import base64url_decode, base64url_encode

from app.core.config import Settings
from app.core.cqrs import AuthenticationError, Clock
from app.domain.ports import AccessToken

ALGORITHM = "HS256"
TOKENS_KEPT = 1000
"""How many verified tokens are cached: verifying one takes as long as a command without a database."""


class JwtAccessTokens:
    """Issues and reads tokens with a user (`sub`) and a session (`sid`)."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.lifetime_seconds = settings.access_token_seconds
        self._issuer = settings.service_name
        self._key = settings.key_for("access tokens")
        self._clock = clock
        self._known = lru_cache(TOKENS_KEPT)(self._decoded)

    def issue(self, user_id: UUID, session_id: UUID) -> str:
        """Issue a token that is valid from now on, for `lifetime_seconds`."""
        now = self._clock.now()
        claims = {
            "iss": self._issuer,
            "sub": str(user_id),
            "sid": str(session_id),
            "iat": now,
            "exp": now + timedelta(seconds=self.lifetime_seconds),
        }
        return jwt.encode(claims, self._key, ALGORITHM)

    def read(self, token: str) -> AccessToken:
        """Verify a token, and return its content.

        Raises:
            AuthenticationError: if it is not a token of this service, or has expired.
        """
        read = self._known(token)
        if read.expires_at <= self._clock.now():
            raise AuthenticationError("This access token has expired: refresh it, or log in again.")
        return read

    def _decoded(self, token: str) -> AccessToken:
        # The expiry is checked in `read`, by the clock of the service.
        options = {"require": ["iss", "sub", "sid", "exp"], "verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(token, self._key, [ALGORITHM], options, issuer=self._issuer)  # type: ignore[arg-type]
            _require_canonical(token)
            return AccessToken(UUID(claims["sub"]), UUID(claims["sid"]), datetime.fromtimestamp(claims["exp"], UTC))
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
            raise AuthenticationError("This access token is not valid: log in again.") from error


def _require_canonical(token: str) -> None:
    """Accept only the canonical encoding: padding and unused bits would allow other spellings of the same token.

    Raises:
        ValueError: if the encoding is not canonical.
    """
    if any(base64url_encode(base64url_decode(part)).decode() != part for part in token.split(".")):
        raise ValueError("The token is not in canonical base64url.")
