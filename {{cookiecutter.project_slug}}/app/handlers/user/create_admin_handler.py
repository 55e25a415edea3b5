"""Create an administrator."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from app.core.cqrs import (
    BaseCommandHandler,
    Clock,
    ICommand,
    OperationResult,
    command_handler,
    invalidates,
    transactional,
)
from app.domain.ports import PasswordHasher
from app.domain.registration import NewUser
from app.domain.user import ADMIN
from app.persistence.repositories.user_repository import UserRepository


@dataclass(frozen=True)
class CreateAdminCommand(ICommand[UUID]):
    """Create an administrator. Only the command line and the first start send this command: no route does."""

    email: str
    password: str = field(repr=False)
    username: str = field(default_factory=lambda: f"admin-{uuid4().hex[:8]}")

    def validate(self) -> dict[str, str]:
        """The rules for every new user."""
        return self.new_user.problems()

    @property
    def new_user(self) -> NewUser:
        """The administrator to create."""
        return NewUser(self.email, self.username, self.password, "Administrator")


@command_handler(CreateAdminCommand)
@transactional()
@invalidates("users")
class CreateAdminHandler(BaseCommandHandler[CreateAdminCommand, UUID]):
    """Create an administrator."""

    users: UserRepository
    hasher: PasswordHasher
    clock: Clock

    async def _handle(self, command: CreateAdminCommand) -> OperationResult[UUID]:
        user = await command.new_user.register(self.hasher, self.clock.now())
        user.assign_role(ADMIN)
        await self.users.add(user)
        return self.created(user.id)
