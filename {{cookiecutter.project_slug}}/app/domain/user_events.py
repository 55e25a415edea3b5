"""What happens to users."""

from dataclasses import dataclass
from uuid import UUID

from app.core.cqrs import DomainEvent


@dataclass(frozen=True, kw_only=True)
class UserEvent(DomainEvent):
    """Something happened to a user."""

    user_id: UUID


@dataclass(frozen=True, kw_only=True)
class UserCreated(UserEvent):
    """Somebody registered, or was registered."""

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
    """The user is gone."""


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(UserEvent):
    """The user has another password."""


@dataclass(frozen=True, kw_only=True)
class RoleAssigned(UserEvent):
    """The user has one more role."""

    role: str


@dataclass(frozen=True, kw_only=True)
class RoleRevoked(UserEvent):
    """The user has one role less."""

    role: str
