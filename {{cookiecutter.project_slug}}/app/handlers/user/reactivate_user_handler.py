"""Allow a user to log in again."""

from dataclasses import dataclass

from app.core.cqrs import BaseCommandHandler, OperationResult, authorize, command_handler, invalidates, transactional
from app.handlers.user.user_command import UserCommand
from app.persistence.repositories.user_repository import UserRepository


@dataclass(frozen=True)
class ReactivateUserCommand(UserCommand[None]):
    """Allow a user to log in again."""


@command_handler(ReactivateUserCommand)
@transactional()
@authorize(permissions=["user:deactivate"])
@invalidates("user:{user_id}", "users", "access:{user_id}")
class ReactivateUserHandler(BaseCommandHandler[ReactivateUserCommand, None]):
    """Allow a user to log in again. A user who is active already: 422."""

    users: UserRepository

    async def _handle(self, command: ReactivateUserCommand) -> OperationResult[None]:
        user = await self.users.locked(command.user_id)
        user.reactivate()
        return self.no_content()
