"""The repository of users."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import ResourceNotFoundError
from app.domain.user import User
from app.persistence.engine.errors import taken
from app.persistence.tables import roles, user_roles, users


class UserRepository:
    """The users, in the unit of work of the operation."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, *new: User) -> None:
        """Store new users.

        Raises:
            ConflictError: if an e-mail address or username is taken; `details` names the field.
        """
        await self._refuse_taken(new)
        self._session.add_all(new)
        await self._session.flush()

    async def flush(self, user: User) -> None:
        """Write a changed user now, while a conflict can still be reported by field.

        Raises:
            ConflictError: if an e-mail address or username is taken; `details` names the field.
        """
        with self._session.no_autoflush:
            await self._refuse_taken((user,))
        await self._session.flush()

    async def locked(self, user_id: UUID) -> User:
        """Load a user for changing it. The row is locked until the transaction ends.

        Raises:
            ResourceNotFoundError: if there is no such user.
        """
        user = await self._session.get(User, user_id, with_for_update=True)
        if user is None:
            raise no_such_user()
        return user

    async def remove(self, user: User) -> None:
        """Delete a user with all rows that belong only to this user."""
        user.delete()
        await self._session.delete(user)

    async def exists(self, user_id: UUID) -> bool:
        """Whether there is such a user."""
        return bool(await self._session.scalar(select(exists().where(users.c.id == user_id))))

    async def role_exists(self, role: str) -> bool:
        """Whether there is a role of this name."""
        return bool(await self._session.scalar(select(exists().where(roles.c.name == role))))

    async def has_administrator(self) -> bool:
        """Whether any user has an administrator role."""
        of_admins = exists().where(user_roles.c.role == roles.c.name, roles.c.is_admin)
        return bool(await self._session.scalar(select(of_admins)))

    async def _refuse_taken(self, new: Sequence[User]) -> None:
        """Name all taken fields; the constraint, which catches concurrent inserts, reports only the first one."""
        ids = [user.id for user in new]
        fields = {"email": users.c.email_key, "username": users.c.username_key}
        same = {name: column.in_([getattr(user, column.name) for user in new]) for name, column in fields.items()}
        wanted = select(*(func.max(case((same[name], 1), else_=0)) for name in fields))
        found = (await self._session.execute(wanted.where(users.c.id.not_in(ids), or_(*same.values())))).one()
        names = [name for name, is_taken in zip(fields, found, strict=True) if is_taken]
        if names:
            raise taken(users.name, names)


def no_such_user() -> ResourceNotFoundError:
    """The error for a user who does not exist, or not for this caller."""
    return ResourceNotFoundError("There is no such user.")
