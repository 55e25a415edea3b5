"""Log in."""

from dataclasses import dataclass, field

from app.core.cqrs import (
    AuthenticationError,
    BaseCommandHandler,
    ICommand,
    command_handler,
    retry_on_failure,
    transactional,
)
from app.domain.ports import AccessTokens, PasswordHasher, Throttle
from app.domain.text import folded, only_problems, text_problem
from app.domain.tries import counted
from app.domain.user import LONGEST_EMAIL, LONGEST_PASSWORD
from app.persistence.credentials import Credentials
from app.persistence.repositories.login_sessions import LoginSessions
from app.read_models.token_views import TokensView, token_pair


@dataclass(frozen=True)
class LoginCommand(ICommand[TokensView]):
    """Log in, by e-mail address or username."""

    login: str
    password: str = field(repr=False)

    def validate(self) -> dict[str, str]:
        """Refuse only values that can never be a login."""
        return only_problems(
            {
                "login": text_problem(self.login, LONGEST_EMAIL, shortest=1),
                "password": text_problem(self.password, LONGEST_PASSWORD, shortest=1),
            }
        )


@command_handler(LoginCommand)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
class LoginHandler(BaseCommandHandler[LoginCommand, TokensView]):
    """Log in, by e-mail address or username, and get an access token and a refresh token.

    A wrong password and an unknown user get the same answer after the same time, except for users who have not logged
    in since the cost of a hash was changed: a login renews the stored hash. Too many tries: 429.
    """

    credentials: Credentials
    hasher: PasswordHasher
    throttle: Throttle
    sessions: LoginSessions
    tokens: AccessTokens

    async def _handle(self, command: LoginCommand) -> TokensView:
        # By what was typed, not by account: a shared count would tell which address belongs to which username.
        async with counted(self.throttle, f"login:{folded(command.login)}", AuthenticationError):
            credential = await self.credentials.of_login(command.login)
            stored = None if credential is None else credential.password_hash
            matches = await self.hasher.verify(command.password, stored)
            if credential is None or not matches or not credential.is_active:
                raise AuthenticationError("The login or the password is wrong.")
            renewed = credential.password_hash
            if self.hasher.needs_rehash(renewed):
                renewed = await self.hasher.hash(command.password)
            # The transaction begins here, with the first statement: hashing takes long and needs no connection.
            begun = await self.sessions.begin(credential.user_id, credential.password_hash, renewed)
        return token_pair(self.tokens, credential.user_id, *begun)
