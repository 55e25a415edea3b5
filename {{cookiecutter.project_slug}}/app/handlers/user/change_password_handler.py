"""Change one's own password."""

from dataclasses import dataclass, field
from uuid import UUID

from app.core.cqrs import (
    BaseCommandHandler,
    CommandValidationError,
    ConcurrencyError,
    OperationResult,
    authorize,
    command_handler,
    retry_on_failure,
    transactional,
)
from app.domain.ports import PasswordHasher, Throttle
from app.domain.text import only_problems, text_problem
from app.domain.tries import counted
from app.domain.user import LONGEST_PASSWORD, password_problem
from app.handlers.user.user_command import UserCommand
from app.persistence.credentials import Credentials
from app.persistence.repositories.login_sessions import LoginSessions
from app.persistence.repositories.user_repository import UserRepository, no_such_user


@dataclass(frozen=True)
class ChangePasswordCommand(UserCommand[None]):
    """Change one's own password; the session `session_id` continues, all others end."""

    current_password: str = field(repr=False)
    new_password: str = field(repr=False)
    session_id: UUID | None = None

    def validate(self) -> dict[str, str]:
        """The rules for a new password."""
        return only_problems(
            {
                "current_password": text_problem(self.current_password, LONGEST_PASSWORD, shortest=1),
                "new_password": password_problem(self.new_password),
            }
        )


@command_handler(ChangePasswordCommand)
@transactional()
@retry_on_failure(max_attempts=3, delay_seconds=0.1)  # a login may renew the hash at the same time
@authorize(permissions=["user:password:own"], resource_id_field="user_id", allow_admin_override=False)
class ChangePasswordHandler(BaseCommandHandler[ChangePasswordCommand, None]):
    """Change one's own password. It needs the current one, and ends all other sessions.

    Nobody can change the password of another user, not even an administrator. Too many wrong guesses: 429.
    """

    credentials: Credentials
    hasher: PasswordHasher
    throttle: Throttle
    users: UserRepository
    sessions: LoginSessions

    async def _handle(self, command: ChangePasswordCommand) -> OperationResult[None]:
        known = await self._checked(command)
        new_hash = await self.hasher.hash(command.new_password)
        # The transaction begins here, with the first statement: hashing takes long and needs no connection.
        user = await self.users.locked(command.user_id)
        if user.password_hash != known:
            raise ConcurrencyError("Somebody else changed the password in the meantime.")
        user.change_password(new_hash)
        await self.sessions.end_all_of(user.id, but=command.session_id)
        return self.no_content()

    async def _checked(self, command: ChangePasswordCommand) -> str:
        """Verify the current password, and return its hash."""
        async with counted(self.throttle, f"password:{command.user_id}", CommandValidationError):
            credential = await self.credentials.of_user(command.user_id)
            if credential is None:
                raise no_such_user()
            if not await self.hasher.verify(command.current_password, credential.password_hash):
                raise CommandValidationError("The current password is wrong.", details={"current_password": "is wrong"})
        return credential.password_hash
