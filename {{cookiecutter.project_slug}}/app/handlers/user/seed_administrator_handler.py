"""Create the first administrator of a new service."""

import secrets
from dataclasses import dataclass, field

from app.core.cqrs import BaseCommandHandler, ICommand, command_handler, transactional
from app.handlers.user.create_admin_handler import CreateAdminCommand
from app.persistence.repositories.user_repository import UserRepository

EMAIL = "admin@example.com"


@dataclass(frozen=True)
class SeededAdministrator:
    """The credentials of the new administrator; the password itself is not stored."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class SeedAdministratorCommand(ICommand[SeededAdministrator | None]):
    """Create an administrator with a random password, if there is none."""


@command_handler(SeedAdministratorCommand)
@transactional()
class SeedAdministratorHandler(BaseCommandHandler[SeedAdministratorCommand, SeededAdministrator | None]):
    """Create an administrator with a random password, if there is none; for the first start in development."""

    users: UserRepository

    async def _handle(self, command: SeedAdministratorCommand) -> SeededAdministrator | None:
        if await self.users.has_administrator():
            return None
        seeded = SeededAdministrator(EMAIL, secrets.token_urlsafe(12))
        await self.bus.execute_command(CreateAdminCommand(email=seeded.email, password=seeded.password))
        return seeded
