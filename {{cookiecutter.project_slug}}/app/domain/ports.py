"""What the domain needs from outside. Each port is a plain noun; adapters say what they are made of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


class PasswordHasher(Protocol):
    """Keeps passwords in a form that tells nothing."""

    async def hash(self, password: str) -> str:
        """The form to store."""
        ...

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether this is the password of that hash. For no hash it takes as long, and it is not."""
        ...


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What an access token says."""

    user_id: UUID
    session_id: UUID
    expires_at: datetime


class AccessTokens(Protocol):
    """Short-lived tokens that say who is calling."""

    lifetime_seconds: int

    def issue(self, user_id: UUID, session_id: UUID) -> str:
        """A token for a user in a session."""
        ...

    def read(self, token: str) -> AccessToken:
        """What a token says.

        Raises:
            AuthenticationError: it is not one of ours, or has expired.
        """
        ...


class Throttle(Protocol):
    """Slows down who tries too often."""

    async def count(self, what: str) -> None:
        """Count one more try.

        Raises:
            RateLimitedError: it is one too many; `details["retry_after"]` tells how many seconds to wait.
        """

    async def forgive(self, what: str) -> None:
        """Forget the tries so far."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to a user. The same `id` is sent once, however often it is asked for."""

    id: UUID
    user_id: UUID
    kind: str
    subject: str
    body: str


class Notifications(Protocol):
    """Tells users something."""

    async def send(self, notification: Notification) -> None:
        """Send it, as part of what is being done: it is sent when that is committed."""
