"""The answer to a login."""

from uuid import UUID

from pydantic import Field

from app.domain.ports import AccessTokens
from app.read_models.user_views import View


class TokensView(View):
    """A pair of tokens: an access token, and a refresh token for the next pair."""

    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)
    token_type: str = "bearer"
    expires_in: int
    """For how many seconds the access token is valid."""


def token_pair(tokens: AccessTokens, user_id: UUID, session_id: UUID, refresh_token: str) -> TokensView:
    """Issue an access token, and pair it with the refresh token."""
    return TokensView(
        access_token=tokens.issue(user_id, session_id), refresh_token=refresh_token, expires_in=tokens.lifetime_seconds
    )
