"""The user: login, names and roles."""

import re
from datetime import datetime
from uuid import UUID

from app.core.cqrs import AggregateRoot, BusinessRuleViolationError
from app.domain.text import folded, line_problem, text_problem
from app.domain.user_events import (
    PasswordChanged,
    RoleAssigned,
    RoleRevoked,
    UserActivated,
    UserCreated,
    UserDeactivated,
    UserDeleted,
    UserUpdated,
)

ADMIN = "admin"
MEMBER = "member"
"""The role of every user who registers."""

LONGEST_EMAIL = 254
SHORTEST_USERNAME, LONGEST_USERNAME = 3, 50
LONGEST_NAME = 200
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 128
LONGEST_ROLE = 50
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
USERNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def email_problem(email: str) -> str | None:
    """The problem with an e-mail address; None if there is none."""
    return line_problem(email, LONGEST_EMAIL) or (None if EMAIL.fullmatch(email) else "is not an e-mail address")


def username_problem(username: str) -> str | None:
    """The problem with a username; None if there is none. It never looks like an e-mail address."""
    problem = line_problem(username, LONGEST_USERNAME, SHORTEST_USERNAME)
    return problem or (None if USERNAME.fullmatch(username) else "may have letters, digits, and . _ - between them")


def full_name_problem(full_name: str) -> str | None:
    """The problem with a full name; None if there is none."""
    return line_problem(full_name, LONGEST_NAME)


def password_problem(password: str) -> str | None:
    """The problem with a new password; None if there is none."""
    return text_problem(password, LONGEST_PASSWORD, SHORTEST_PASSWORD)


def role_problem(role: str) -> str | None:
    """The problem with the name of a role; None if there is none."""
    return line_problem(role, LONGEST_ROLE)


class User(AggregateRoot):
    """A user who may log in. E-mail addresses and usernames are compared without regard to case."""

    id: UUID
    email: str
    email_key: str
    username: str
    username_key: str
    full_name: str
    password_hash: str
    is_active: bool
    roles: set[str]
    created_at: datetime

    def __init__(
        self, *, id: UUID, email: str, username: str, full_name: str, password_hash: str, created_at: datetime
    ) -> None:
        self.id = id
        self._rename(email)
        self.username = username
        self.username_key = folded(username)
        self.full_name = full_name
        self.password_hash = password_hash
        self.is_active = True
        self.roles = {MEMBER}
        self.created_at = created_at
        self.raise_event(UserCreated(user_id=id, email=email, username=username, full_name=full_name))

    def update(self, *, email: str | None = None, full_name: str | None = None) -> tuple[str, ...]:
        """Apply the given changes, and return the names of the fields that changed."""
        changed: list[str] = []
        if email is not None and email != self.email:
            self._rename(email)
            changed.append("email")
        if full_name is not None and full_name != self.full_name:
            self.full_name = full_name
            changed.append("full_name")
        if changed:
            self.raise_event(UserUpdated(user_id=self.id, changed=tuple(changed)))
        return tuple(changed)

    def change_password(self, password_hash: str) -> None:
        """Set another password, given as its hash."""
        self.password_hash = password_hash
        self.raise_event(PasswordChanged(user_id=self.id))

    def deactivate(self) -> None:
        """Prevent the user from logging in.

        Raises:
            BusinessRuleViolationError: if the user is not active.
        """
        if not self.is_active:
            raise BusinessRuleViolationError("This user is not active already.")
        self.is_active = False
        self.raise_event(UserDeactivated(user_id=self.id))

    def reactivate(self) -> None:
        """Allow the user to log in again.

        Raises:
            BusinessRuleViolationError: if the user is active.
        """
        if self.is_active:
            raise BusinessRuleViolationError("This user is active already.")
        self.is_active = True
        self.raise_event(UserActivated(user_id=self.id))

    def assign_role(self, role: str) -> None:
        """Give the user a role; a role that the user already has changes nothing."""
        if role not in self.roles:
            self.roles.add(role)
            self.raise_event(RoleAssigned(user_id=self.id, role=role))

    def revoke_role(self, role: str) -> None:
        """Take a role from the user.

        Raises:
            BusinessRuleViolationError: if the user does not have it.
        """
        if role not in self.roles:
            raise BusinessRuleViolationError("This user does not have this role.", details={"role": "is not assigned"})
        self.roles.remove(role)
        self.raise_event(RoleRevoked(user_id=self.id, role=role))

    def delete(self) -> None:
        """Raise the event of the deletion; the repository removes the rows."""
        self.raise_event(UserDeleted(user_id=self.id))

    def _rename(self, email: str) -> None:
        self.email = email
        self.email_key = folded(email)
