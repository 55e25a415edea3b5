"""A command of a team that forgets to return what it refuses with."""

from dataclasses import dataclass
from uuid import UUID

from app.core.cqrs import BaseCommandHandler, ICommand, OperationResult, command_handler, transactional
from app.persistence.repositories.user_repository import UserRepository


@dataclass(frozen=True)
class RenameCommand(ICommand[UUID]):
    """Rename a user."""

    user_id: UUID
    full_name: str
    returned: bool


@command_handler(RenameCommand)
@transactional()
class RenameHandler(BaseCommandHandler[RenameCommand, UUID]):
    """Rename a user, and think better of it."""

    users: UserRepository

    async def _handle(self, command: RenameCommand) -> OperationResult[UUID]:
        user = await self.users.locked(command.user_id)
        user.update(full_name=command.full_name)
        await self.users.flush(user)
        if command.returned:
            return self.conflict("This name is taken.")
        self.conflict("This name is taken.")
