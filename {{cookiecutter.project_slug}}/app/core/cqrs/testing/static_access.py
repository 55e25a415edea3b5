"""Permissions for tests."""

from collections.abc import Mapping

from app.core.cqrs.ports import Grants


class StaticAccess:
    """Knows what each user may do from a mapping; who is not in it does not exist."""

    def __init__(self, grants: Mapping[str, Grants]) -> None:
        self.grants = dict(grants)

    async def grants_of(self, user_id: str) -> Grants | None:
        """What this user may do."""
        return self.grants.get(user_id)
