"""A process that registers a user, and is killed on the way: `python -m tests.core.cqrs.testing.crashing URL POINT`."""

import asyncio
import sys

from app.core.container import running_service
from app.core.cqrs.testing import crash_at
from app.handlers.user.create_user_handler import CreateUserCommand
from tests.databases import settings_for
from tests.users import create_user


def registration() -> CreateUserCommand:
    """The command, under the same key each time."""
    command = create_user()
    command.metadata.idempotency_key = "the only one"
    return command


async def register_user(database_url: str, point: str) -> None:
    """Register a user, and tell the caller."""
    async with running_service(settings_for(database_url)) as service:
        with crash_at(service.bus, point):
            await service.bus.execute_command(registration())
            sys.stderr.write("answered")


if __name__ == "__main__":
    asyncio.run(register_user(*sys.argv[1:]))
