"""Prevent a user from logging in."""

from dataclasses import dataclass

from app.core.cqrs import BaseCommandHandler, OperationResult, authorize, command_handler, invalidates, transactional
from app.handlers.user.user_command import UserCommand
from app.persistence.repositories.login_sessions import LoginSessions
from app.persistence.repositories.user_repository import UserRepository


@dataclass(frozen=True)
class DeactivateUserCommand(UserCommand[None]):
    """Prevent a user from logging in."""


@command_handler(DeactivateUserCommand)
@transactional()
@authorize(permissions=["user:deactivate"])
@invalidates("user:{user_id}", "users", "access:{user_id}")
class DeactivateUserHandler(BaseCommandHandler[DeactivateUserCommand, None]):
    """Prevent a user from logging in, and end all sessions of the user. A user who is not active already: 422."""

    users: UserRepository
    sessions: LoginSessions

    async def _handle(self, command: DeactivateUserCommand) -> OperationResult[None]:
        user = await self.users.locked(command.user_id)
        user.deactivate()
        await self.sessions.end_all_of(user.id)
        return self.no_content()
