"""The ports that the domain needs. A port is a plain noun; the name of an adapter adds its technology."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


class PasswordHasher(Protocol):
    """Hashes passwords, and verifies them."""

    async def hash(self, password: str) -> str:
        """The hash of a password, to be stored."""
        ...

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the password matches the hash. None never matches, but takes as long as one of the present cost."""
        ...

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether a hash that matched was made at another cost than the present one."""
        ...


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The content of an access token."""

    user_id: UUID
    session_id: UUID
    expires_at: datetime


class AccessTokens(Protocol):
    """Short-lived tokens that identify the caller."""

    lifetime_seconds: int

    def issue(self, user_id: UUID, session_id: UUID) -> str:
        """Issue a token for a user in a session."""
        ...

    def read(self, token: str) -> AccessToken:
        """Verify a token, and return its content.

        Raises:
            AuthenticationError: if it is not a token of this service, or has expired.
        """
        ...


class Throttle(Protocol):
    """Limits the rate of tries."""

    async def count(self, what: str) -> None:
        """Count one more try.

        Raises:
            RateLimitedError: if it is one too many; `details["retry_after"]` is the number of seconds to wait.
        """

    async def take_back(self, what: str) -> None:
        """Forget one try of this key, which was counted and did not fail."""

    async def forgive(self, what: str) -> None:
        """Forget the tries of this key so far."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to a user. The same `id` is sent once, however often that is requested."""

    id: UUID
    user_id: UUID
    kind: str
    subject: str
    body: str


class Notifications(Protocol):
    """Sends notifications to users."""

    async def send(self, notification: Notification) -> None:
        """Send it as part of the current transaction, when that is committed; a user who was deleted gets none."""
