"""A service of the application: no handler, no adapter, and at work through the bus all the same."""

from dataclasses import dataclass
from uuid import UUID

from app.core.cqrs import CQRSBus
from tests.users import create_user


@dataclass(frozen=True)
class Reception:
    """Registers those who come in."""

    bus: CQRSBus
    environment: str

    async def register(self, username: str) -> UUID:
        """Register somebody."""
        command = create_user(username=username, email=f"{username}@example.org")
        return (await self.bus.execute_command(command)).unwrap()
