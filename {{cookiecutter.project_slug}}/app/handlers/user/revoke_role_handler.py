"""Take a role from a user."""

from dataclasses import dataclass

from app.core.cqrs import BaseCommandHandler, OperationResult, authorize, command_handler, invalidates, transactional
from app.handlers.user.user_command import UserRoleCommand
from app.persistence.repositories.user_repository import UserRepository


@dataclass(frozen=True)
class RevokeRoleCommand(UserRoleCommand):
    """Take a role from a user."""


@command_handler(RevokeRoleCommand)
@transactional()
@authorize(permissions=["role:assign"])
@invalidates("user:{user_id}", "users", "access:{user_id}")
class RevokeRoleHandler(BaseCommandHandler[RevokeRoleCommand, None]):
    """Take a role from a user, which takes effect at once. A role that the user does not have: 422."""

    users: UserRepository

    async def _handle(self, command: RevokeRoleCommand) -> OperationResult[None]:
        user = await self.users.locked(command.user_id)
        user.revoke_role(command.role)
        return self.no_content()
