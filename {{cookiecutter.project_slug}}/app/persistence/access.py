"""Permissions of users and the validity of their logins, read from the database and cached for a short time."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select

from app.core.cqrs import AuthenticationError, Cache, Clock, Grants, declare_tags
from app.domain.ports import AccessToken
from app.persistence.engine.database import Database
from app.persistence.tables import login_sessions, role_permissions, roles, user_roles, users

T = TypeVar("T")

SECONDS_KEPT = 30.0
"""Cache time. Unless processes share a cache, others may honour a revoked permission or login for this long."""

SYSTEM = "system"
"""The caller of operations that the service starts itself; it may do everything. No account or token has this name."""

GRANTS: TypeAdapter[Grants | None] = TypeAdapter(Grants | None)
END: TypeAdapter[datetime | None] = TypeAdapter(datetime | None)


declare_tags("access:{user_id}")


def access_tag(user_id: object) -> str:
    """The cache tag of a user's permissions and logins; a change of either invalidates it."""
    return f"access:{user_id}"


async def permissions_of_roles(database: Database) -> frozenset[str]:
    """All permissions that some role has."""
    async with database.reading_latest() as session:
        return frozenset(await session.scalars(select(role_permissions.c.permission)))


class DatabaseAccess:
    """Reads permissions in a short session of its own, which is closed before the operation begins."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database = database
        self._cache = cache

    async def grants_of(self, user_id: str) -> Grants | None:
        """The permissions of this user; None if there is no such active user."""
        if user_id == SYSTEM:
            return Grants(is_admin=True)
        try:
            known_id = UUID(user_id)
        except ValueError:
            return None
        tag = access_tag(known_id)
        return await _kept(self._cache, tag, tag, GRANTS, lambda: self._read(known_id))

    async def _read(self, user_id: UUID) -> Grants | None:
        granted = (
            select(roles.c.is_admin, role_permissions.c.permission)
            .select_from(users)
            .outerjoin(user_roles, user_roles.c.user_id == users.c.id)
            .outerjoin(roles, roles.c.name == user_roles.c.role)
            .outerjoin(role_permissions, role_permissions.c.role == roles.c.name)
            .where(users.c.id == user_id, users.c.is_active)
        )
        async with self._database.reading_latest() as session:
            found = (await session.execute(granted)).all()
        if not found:
            return None
        return Grants(
            permissions=frozenset(row.permission for row in found if row.permission is not None),
            is_admin=any(row.is_admin for row in found),
        )


class OpenLogins:
    """Checks whether the login of an access token is still valid. It is read and cached like permissions."""

    def __init__(self, database: Database, cache: Cache, clock: Clock) -> None:
        self._database = database
        self._cache = cache
        self._clock = clock

    async def require(self, token: AccessToken) -> None:
        """Make sure that the login was not ended by its user, an administrator, or the reuse of a refresh token.

        Raises:
            AuthenticationError: if it was, if it has expired, or if its user is not active.
        """
        key, tag = f"login:{token.session_id}", access_tag(token.user_id)
        end = await _kept(self._cache, key, tag, END, lambda: self._read(token))
        if end is not None and end <= self._clock.now():
            end = await self._read(token)  # a refresh may have moved the end since it was cached
        if end is None or end <= self._clock.now():
            raise AuthenticationError("This login has ended: log in again.")

    async def _read(self, token: AccessToken) -> datetime | None:
        """When the login expires; None if it was revoked or its user is not active."""
        end = (
            select(login_sessions.c.expires_at)
            .join(users, users.c.id == login_sessions.c.user_id)
            .where(login_sessions.c.id == token.session_id, login_sessions.c.revoked_at.is_(None))
            .where(users.c.id == token.user_id, users.c.is_active)
        )
        async with self._database.reading_latest() as session:
            return await session.scalar(end)


async def _kept(cache: Cache, key: str, tag: str, codec: TypeAdapter[T], read: Callable[[], Awaitable[T]]) -> T:
    entry = await cache.get(key)
    if entry is not None:
        try:
            return codec.validate_json(entry.value)
        except ValueError:
            pass  # written by another release of this service
    generation = await cache.generation((tag,))
    value = await read()
    await cache.set(key, codec.dump_json(value), SECONDS_KEPT, (tag,), generation)
    return value
