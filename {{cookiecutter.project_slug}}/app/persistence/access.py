"""What users may do: roles, and the permissions of roles, read from the database and kept for a short while."""

from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select

from app.core.cqrs import Cache, Grants
from app.persistence.database import Database
from app.persistence.tables import role_permissions, roles, user_roles, users

SECONDS_KEPT = 30.0
"""How long another process may go on with permissions that were taken away here, unless they share a cache."""

SYSTEM = "system"
"""The caller of what the service does of its own accord, which may do all; no account and no token has this name."""

Codec: TypeAdapter[Grants | None] = TypeAdapter(Grants | None)


def access_tag(user_id: object) -> str:
    """The cache tag of what is known about a user's permissions; a change of roles invalidates it."""
    return f"access:{user_id}"


class DatabaseAccess:
    """Reads permissions with a short session of its own, given back before the operation begins."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database = database
        self._cache = cache

    async def grants_of(self, user_id: str) -> Grants | None:
        """What this user may do; None when there is no such active user."""
        if user_id == SYSTEM:
            return Grants(is_admin=True)
        try:
            known_id = UUID(user_id)
        except ValueError:
            return None
        tag = access_tag(known_id)
        entry = await self._cache.get(tag)
        if entry is not None:
            try:
                return Codec.validate_json(entry.value)
            except ValueError:
                pass  # written by another version of this service
        generation = await self._cache.generation((tag,))
        grants = await self._read(known_id)
        await self._cache.set(tag, Codec.dump_json(grants), SECONDS_KEPT, (tag,), generation)
        return grants

    async def _read(self, user_id: UUID) -> Grants | None:
        granted = (
            select(roles.c.is_admin, role_permissions.c.permission)
            .select_from(users)
            .outerjoin(user_roles, user_roles.c.user_id == users.c.id)
            .outerjoin(roles, roles.c.name == user_roles.c.role)
            .outerjoin(role_permissions, role_permissions.c.role == roles.c.name)
            .where(users.c.id == user_id, users.c.is_active)
        )
        async with self._database.reading() as session:
            found = (await session.execute(granted)).all()
        if not found:
            return None
        return Grants(
            permissions=frozenset(row.permission for row in found if row.permission is not None),
            is_admin=any(row.is_admin for row in found),
        )
