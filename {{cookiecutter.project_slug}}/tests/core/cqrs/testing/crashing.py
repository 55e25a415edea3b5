"""Processes that die while they register a user: `python -m tests.core.cqrs.testing.crashing URL POINT URL POINT ...`.

One starts and imports; a copy of it dies for each database and point, and it prints how.
"""

import asyncio
import os
import sys

from app.composition.container import running_service
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


def exit_code_of_copy(database_url: str, point: str) -> int:
    """How a copy of this process ended."""
    copy = os.fork()
    if not copy:
        asyncio.run(register_user(database_url, point))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])


if __name__ == "__main__":
    print(*map(exit_code_of_copy, sys.argv[1::2], sys.argv[2::2]))  # noqa: T201
