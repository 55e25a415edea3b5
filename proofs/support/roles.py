"""Roles of PostgreSQL for one test."""

from uuid import uuid4

from sqlalchemy import make_url

from tests.databases import ask_server

OWNER, SERVING = "shop_owner", "shop_service"
"""The names of the roles in `docs/going-live.md`; their passwords are `secret`."""


class Roles:
    """The roles of the page under other names, for one database: roles belong to the whole server."""

    def __init__(self, database_url: str) -> None:
        self._url = make_url(database_url)
        self.database = self._url.database or ""
        self._names = {role: f"test_{uuid4().hex}" for role in (OWNER, SERVING)}

    async def order(self, statements: str) -> None:
        """Execute statements in the database as the administrator of the server."""
        for role, name in self._names.items():
            statements = statements.replace(role, name)
        await ask_server(statements, self.database)

    def url_of(self, role: str) -> str:
        """The URL with which a role logs in."""
        own = self._url.set(username=self._names[role], password="secret")
        return own.render_as_string(hide_password=False)

    async def drop(self) -> None:
        """Drop the roles, with their rights and tables."""
        for role in self._names:
            await self.order(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
