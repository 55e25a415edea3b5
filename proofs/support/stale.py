"""A command whose tag is misspelt: readers of users say `users` and `user:{user_id}`."""

from dataclasses import dataclass

from app.core.cqrs import BaseCommandHandler, ICommand, command_handler, invalidates


@dataclass(frozen=True)
class RefreshEverything(ICommand[None]):
    """Make all users' answers stale."""


@command_handler(RefreshEverything)
@invalidates("user")
class RefreshEverythingHandler(BaseCommandHandler[RefreshEverything, None]):
    """Do nothing else."""

    async def _handle(self, command: RefreshEverything) -> None: ...
