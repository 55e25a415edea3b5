"""Reads the credentials of a login in a short session: checking a password takes long, and needs no connection."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from app.domain.text import folded
from app.persistence.engine.database import Database
from app.persistence.tables import users


@dataclass(frozen=True, slots=True)
class Credential:
    """The credentials of a user who may be logging in."""

    user_id: UUID
    password_hash: str = field(repr=False)
    is_active: bool


class Credentials:
    """The credentials of all users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_login(self, login: str) -> Credential | None:
        """The credentials of the user with this e-mail address or username; None if there is no such user."""
        key = folded(login)
        return await self._first(or_(users.c.email_key == key, users.c.username_key == key))

    async def of_user(self, user_id: UUID) -> Credential | None:
        """The credentials of the user with this id; None if there is no such user."""
        return await self._first(users.c.id == user_id)

    async def _first(self, condition: ColumnElement[bool]) -> Credential | None:
        wanted = select(users.c.id, users.c.password_hash, users.c.is_active).where(condition)
        async with self._database.reading_latest() as session:  # a replica may not have the latest password yet
            found = (await session.execute(wanted)).first()
        return None if found is None else Credential(*found)
