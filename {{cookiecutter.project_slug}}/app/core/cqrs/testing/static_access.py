"""Permissions for tests."""

from collections.abc import Mapping

from app.core.cqrs import Grants


class StaticAccess:
    """Reads the permissions of users from a mapping; a user who is not in it does not exist."""

    def __init__(self, grants: Mapping[str, Grants]) -> None:
        self.grants = dict(grants)

    async def grants_of(self, user_id: str) -> Grants | None:
        """What this user may do; None if there is no such user."""
        return self.grants.get(user_id)
