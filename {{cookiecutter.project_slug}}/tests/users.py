"""Users for tests, registered and asked for through the real bus."""

from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from app.core.cqrs import CommandResult, CQRSBus, ICommand, IQuery, QueryResult
from app.handlers.user.create_admin_handler import CreateAdminCommand
from app.handlers.user.create_user_handler import CreateUserCommand
from app.handlers.user.login_handler import LoginCommand
from app.read_models.token_views import TokensView

R = TypeVar("R")
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Person:
    """Somebody who can send messages under a name."""

    bus: CQRSBus
    id: UUID
    email: str
    username: str

    async def command(self, command: ICommand[R]) -> CommandResult[R]:
        """Order something."""
        command.metadata.user_id = str(self.id)
        return await self.bus.execute_command(command)

    async def query(self, query: IQuery[R]) -> QueryResult[R]:
        """Ask something."""
        query.metadata.user_id = str(self.id)
        return await self.bus.execute_query(query)

    async def login(self, password: str = PASSWORD) -> CommandResult[TokensView]:
        """Log in."""
        return await self.bus.execute_command(LoginCommand(self.username, password))


class People:
    """Registers users."""

    def __init__(self, bus: CQRSBus) -> None:
        self._bus = bus
        self._numbers = count(1)

    async def member(self, **fields: Any) -> Person:
        """A new member."""
        number = next(self._numbers)
        command = create_user(**{"email": f"member{number}@example.org", "username": f"member{number}", **fields})
        user_id = (await self._bus.execute_command(command)).unwrap()
        return Person(self._bus, user_id, command.email, command.username)

    async def administrator(self) -> Person:
        """A new administrator."""
        command = CreateAdminCommand(f"admin{next(self._numbers)}@example.org", PASSWORD)
        user_id = (await self._bus.execute_command(command)).unwrap()
        return Person(self._bus, user_id, command.email, command.username)


def create_user(**fields: Any) -> CreateUserCommand:
    """A valid command, but for these fields."""
    valid = {"email": "ada@example.org", "username": "ada", "password": PASSWORD, "full_name": "Ada Lovelace"}
    return CreateUserCommand(**{**valid, **fields})
