"""Change a user's own data."""

from dataclasses import dataclass
from typing import Any

from app.core.cqrs import BaseCommandHandler, authorize, command_handler, invalidates, retry_on_failure, transactional
from app.domain.text import only_problems
from app.domain.user import email_problem, full_name_problem
from app.handlers.user.user_command import UserCommand
from app.persistence.repositories.user_repository import UserRepository
from app.read_models.user_views import UserView, view_of


@dataclass(frozen=True)
class UpdateUserCommand(UserCommand[UserView]):
    """Change what is given; the answer is the user as it is then."""

    email: str | None = None
    full_name: str | None = None

    def validate(self) -> dict[str, str]:
        """The rules for what is given, which must be something."""
        if self.email is None and self.full_name is None:
            return {"email": "give an email or a full_name"}
        return only_problems(
            {
                "email": None if self.email is None else email_problem(self.email),
                "full_name": None if self.full_name is None else full_name_problem(self.full_name),
            }
        )


@command_handler(UpdateUserCommand)
@transactional(isolation_level="REPEATABLE_READ")
@authorize(permissions=["user:update:own"], resource_id_field="user_id")
@retry_on_failure(max_attempts=3, delay_seconds=0.1)
@invalidates("user:{user_id}", "users")
class UpdateUserHandler(BaseCommandHandler[UpdateUserCommand, UserView]):
    """Change the e-mail address or the full name. Members change themselves, `user:update` changes everybody.

    An e-mail address that somebody else has is refused: 409.
    """

    users: UserRepository

    async def _handle(self, command: UpdateUserCommand) -> UserView:
        user = await self.users.locked(command.user_id)
        self._changed = user.update(email=command.email, full_name=command.full_name)
        await self.users.flush(user)
        return view_of(user)

    async def _get_affected_entities(self, command: UpdateUserCommand, result: UserView) -> dict[str, Any]:
        return {"user": str(command.user_id), "changed": list(self._changed)}
