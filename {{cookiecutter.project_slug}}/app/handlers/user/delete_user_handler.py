"""Delete a user."""

from dataclasses import dataclass

from app.core.cqrs import BaseCommandHandler, OperationResult, authorize, command_handler, invalidates, transactional
from app.handlers.user.user_command import UserCommand
from app.persistence.repositories.user_repository import UserRepository


@dataclass(frozen=True)
class DeleteUserCommand(UserCommand[None]):
    """Delete a user."""


@command_handler(DeleteUserCommand)
@transactional()
@authorize(permissions=["user:delete:own"], resource_id_field="user_id")
@invalidates("user:{user_id}", "users", "access:{user_id}")
class DeleteUserHandler(BaseCommandHandler[DeleteUserCommand, None]):
    """Delete a user, with sessions, roles and notifications. Members delete themselves, `user:delete` everybody."""

    users: UserRepository

    async def _handle(self, command: DeleteUserCommand) -> OperationResult[None]:
        user = await self.users.locked(command.user_id)
        await self.users.remove(user)
        return self.no_content()
