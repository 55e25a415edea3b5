"""Exchange a refresh token for the next pair of tokens."""

from dataclasses import dataclass, field

from app.core.cqrs import BaseCommandHandler, ICommand, command_handler, transactional
from app.domain.ports import AccessTokens
from app.domain.text import only_problems, text_problem
from app.persistence.repositories.login_sessions import LONGEST_REFRESH_TOKEN, LoginSessions
from app.read_models.token_views import TokensView, token_pair


@dataclass(frozen=True)
class RefreshTokensCommand(ICommand[TokensView]):
    """Exchange a refresh token for the next pair of tokens."""

    refresh_token: str = field(repr=False)

    def validate(self) -> dict[str, str]:
        """Refuse only values that can never be a token."""
        return only_problems({"refresh_token": text_problem(self.refresh_token, LONGEST_REFRESH_TOKEN, shortest=1)})


@command_handler(RefreshTokensCommand)
@transactional(rollback_on=())
class RefreshTokensHandler(BaseCommandHandler[RefreshTokensCommand, TokensView]):
    """Exchange a refresh token for the next pair. Each is valid for one use.

    A token that is used again after its grace period is treated as stolen: its session ends, for the thief and for the
    user. That is committed although the answer is an error, hence `rollback_on=()`.
    """

    sessions: LoginSessions
    tokens: AccessTokens

    async def _handle(self, command: RefreshTokensCommand) -> TokensView:
        user_id, session_id, next_token = await self.sessions.go_on(command.refresh_token)
        return token_pair(self.tokens, user_id, session_id, next_token)
