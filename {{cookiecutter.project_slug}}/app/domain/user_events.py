"""Events of users."""

from dataclasses import dataclass
from uuid import UUID

from app.core.cqrs import DomainEvent


@dataclass(frozen=True, kw_only=True)
class UserEvent(DomainEvent):
    """Base of events of a user."""

    user_id: UUID


@dataclass(frozen=True, kw_only=True)
class UserCreated(UserEvent):
    """A user registered, or was registered."""

    email: str
    username: str
    full_name: str


@dataclass(frozen=True, kw_only=True)
class UserUpdated(UserEvent):
    """The user's own data changed."""

    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UserActivated(UserEvent):
    """The user may log in again."""


@dataclass(frozen=True, kw_only=True)
class UserDeactivated(UserEvent):
    """The user may not log in any more."""


@dataclass(frozen=True, kw_only=True)
class UserDeleted(UserEvent):
    """The user was deleted."""


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(UserEvent):
    """The user's password was changed."""


@dataclass(frozen=True, kw_only=True)
class RoleAssigned(UserEvent):
    """The user was given a role."""

    role: str


@dataclass(frozen=True, kw_only=True)
class RoleRevoked(UserEvent):
    """A role was taken from the user."""

    role: str
