"""Register a user."""

from dataclasses import dataclass, field
from uuid import UUID

from app.core.cqrs import (
    BaseCommandHandler,
    Clock,
    ICommand,
    OperationResult,
    command_handler,
    idempotent,
    invalidates,
    retry_on_failure,
    transactional,
)
from app.domain.ports import PasswordHasher
from app.domain.registration import NewUser
from app.persistence.repositories.user_repository import UserRepository


@dataclass(frozen=True)
class CreateUserCommand(ICommand[UUID]):
    """Register a user; the answer is the new user's id."""

    email: str
    username: str
    password: str = field(repr=False)
    full_name: str

    def validate(self) -> dict[str, str]:
        """The rules for each field."""
        return self.new_user.problems()

    @property
    def new_user(self) -> NewUser:
        """The user to register."""
        return NewUser(self.email, self.username, self.password, self.full_name)


@command_handler(CreateUserCommand)
@transactional()
@idempotent()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
@invalidates("users")
class CreateUserHandler(BaseCommandHandler[CreateUserCommand, UUID]):
    """Register a user. E-mail addresses and usernames are unique without regard to case: 409 names the field.

    Anybody may register. The new user has the role `member`.
    """

    users: UserRepository
    hasher: PasswordHasher
    clock: Clock

    async def _handle(self, command: CreateUserCommand) -> OperationResult[UUID]:
        user = await command.new_user.register(self.hasher, self.clock.now())
        await self.users.add(user)
        return self.created(user.id)
