"""Let a new service have an administrator."""

import secrets
from dataclasses import dataclass, field

from app.core.cqrs import BaseCommandHandler, ICommand, command_handler, transactional
from app.handlers.user.create_admin_handler import CreateAdminCommand
from app.persistence.repositories.user_repository import UserRepository

EMAIL = "admin@example.com"


@dataclass(frozen=True)
class SeededAdministrator:
    """How to log in as the new administrator; the password is stored nowhere."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class SeedAdministratorCommand(ICommand[SeededAdministrator | None]):
    """Make an administrator with a random password, if there is none."""


@command_handler(SeedAdministratorCommand)
@transactional()
class SeedAdministratorHandler(BaseCommandHandler[SeedAdministratorCommand, SeededAdministrator | None]):
    """Make an administrator with a random password, if there is none; for the first start in development."""

    users: UserRepository

    async def _handle(self, command: SeedAdministratorCommand) -> SeededAdministrator | None:
        if await self.users.has_administrator():
            return None
        seeded = SeededAdministrator(EMAIL, secrets.token_urlsafe(12))
        await self.bus.execute_command(CreateAdminCommand(email=seeded.email, password=seeded.password))
        return seeded
