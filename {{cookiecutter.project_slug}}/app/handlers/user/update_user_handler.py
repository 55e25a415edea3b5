"""Change a user's own data."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.cqrs import BaseCommandHandler, authorize, command_handler, invalidates, retry_on_failure, transactional
from app.domain.text import only_problems
from app.domain.user import User, email_problem, full_name_problem
from app.handlers.user.user_command import UserCommand
from app.persistence.repositories.user_repository import UserRepository


@dataclass(frozen=True)
class UpdatedUser:
    """A user after a change; not the view that readers get, so that the view can change independently."""

    id: UUID
    username: str
    email: str
    full_name: str
    roles: tuple[str, ...]
    is_active: bool
    created_at: datetime


@dataclass(frozen=True)
class UpdateUserCommand(UserCommand[UpdatedUser]):
    """Change the given fields; the result is the changed user."""

    email: str | None = None
    full_name: str | None = None

    def validate(self) -> dict[str, str]:
        """The rules for the given fields, of which there must be one."""
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
class UpdateUserHandler(BaseCommandHandler[UpdateUserCommand, UpdatedUser]):
    """Change the e-mail address or the full name. Members change themselves, `user:update` changes everybody.

    An e-mail address that another user has is refused: 409.
    """

    users: UserRepository

    async def _handle(self, command: UpdateUserCommand) -> UpdatedUser:
        user = await self.users.locked(command.user_id)
        self._changed = user.update(email=command.email, full_name=command.full_name)
        await self.users.flush(user)
        return updated(user)

    async def _get_affected_entities(self, command: UpdateUserCommand, result: UpdatedUser) -> dict[str, Any]:
        return {"user": str(command.user_id), "changed": list(self._changed)}


def updated(user: User) -> UpdatedUser:
    """The fields of a user that the caller may see."""
    known = {field.name: getattr(user, field.name) for field in fields(UpdatedUser)}
    return UpdatedUser(**{**known, "roles": tuple(sorted(user.roles))})
