"""Give a user a role."""

from dataclasses import dataclass

from app.core.cqrs import (
    BaseCommandHandler,
    CommandValidationError,
    OperationResult,
    authorize,
    command_handler,
    invalidates,
    transactional,
)
from app.handlers.user.user_command import UserRoleCommand
from app.persistence.repositories.user_repository import UserRepository


@dataclass(frozen=True)
class AssignRoleCommand(UserRoleCommand):
    """Give a user a role."""


@command_handler(AssignRoleCommand)
@transactional()
@authorize(permissions=["role:assign"])
@invalidates("user:{user_id}", "users", "access:{user_id}")
class AssignRoleHandler(BaseCommandHandler[AssignRoleCommand, None]):
    """Give a user a role, which takes effect at once. A role that the user already has changes nothing."""

    users: UserRepository

    async def _handle(self, command: AssignRoleCommand) -> OperationResult[None]:
        if not await self.users.role_exists(command.role):
            raise CommandValidationError("There is no such role.", details={"role": "does not exist"})
        user = await self.users.locked(command.user_id)
        user.assign_role(command.role)
        return self.no_content()
