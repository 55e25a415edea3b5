"""Log out."""

from dataclasses import dataclass, field

from app.core.cqrs import BaseCommandHandler, ICommand, OperationResult, command_handler, transactional
from app.domain.text import only_problems, text_problem
from app.persistence.repositories.login_sessions import LONGEST_REFRESH_TOKEN, LoginSessions


@dataclass(frozen=True)
class LogoutCommand(ICommand[None]):
    """End the session of a refresh token."""

    refresh_token: str = field(repr=False)

    def validate(self) -> dict[str, str]:
        """Refuse only values that can never be a token."""
        return only_problems({"refresh_token": text_problem(self.refresh_token, LONGEST_REFRESH_TOKEN, shortest=1)})


@command_handler(LogoutCommand)
@transactional()
class LogoutHandler(BaseCommandHandler[LogoutCommand, None]):
    """End the session of a refresh token; the token alone permits it. To log out twice is not an error."""

    sessions: LoginSessions

    async def _handle(self, command: LogoutCommand) -> OperationResult[None]:
        await self.sessions.end_by(command.refresh_token)
        return self.no_content()
