"""Register many users at once."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from app.core.cqrs import (
    BaseCommandHandler,
    Clock,
    ICommand,
    OperationResult,
    authorize,
    command_handler,
    idempotent,
    invalidates,
    transactional,
)
from app.domain.ports import PasswordHasher
from app.domain.registration import NewUser
from app.domain.text import folded
from app.persistence.repositories.user_repository import UserRepository

MOST_USERS = 100
CHUNK = 10


@dataclass(frozen=True)
class BatchCreateUsersCommand(ICommand[list[UUID]]):
    """Register 1 to 100 users; the answer is their ids, in the same order."""

    users: tuple[NewUser, ...]

    def validate(self) -> dict[str, str]:
        """The rules for each user, as `users.3.email`, and that no e-mail address or username is repeated."""
        if not 1 <= len(self.users) <= MOST_USERS:
            return {"users": f"must have 1 to {MOST_USERS} items"}
        problems: dict[str, str] = {}
        seen: set[tuple[str, str]] = set()
        for index, user in enumerate(self.users):
            for name in ("email", "username"):
                value = (name, folded(getattr(user, name)))
                if value in seen:
                    problems[f"users.{index}.{name}"] = "is there twice"
                seen.add(value)
            problems |= {f"users.{index}.{name}": problem for name, problem in user.problems().items()}
        return problems


@command_handler(BatchCreateUsersCommand, timeout_seconds=120.0)
@transactional()
@idempotent()
@authorize(permissions=["user:create"])
@invalidates("users")
class BatchCreateUsersHandler(BaseCommandHandler[BatchCreateUsersCommand, list[UUID]]):
    """Register many users: all of them, or none. A name or address that is taken is refused: 409 names the field."""

    users: UserRepository
    hasher: PasswordHasher
    clock: Clock

    async def _handle(self, command: BatchCreateUsersCommand) -> OperationResult[list[UUID]]:
        now = self.clock.now()
        chunks = [command.users[first : first + CHUNK] for first in range(0, len(command.users), CHUNK)]
        # All hashes are computed before the first statement, which begins the transaction unless a key was claimed;
        # a chunk at a time, because the hasher admits few at once, and logins need it too.
        made = [await asyncio.gather(*(new.register(self.hasher, now) for new in chunk)) for chunk in chunks]
        for users in made:
            await self.users.add(*users)
        return self.created([user.id for users in made for user in users])
