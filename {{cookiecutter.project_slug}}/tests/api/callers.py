"""People who call the API."""

from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

from httpx2 import ASGITransport, AsyncClient

from app.core.cqrs import CQRSBus
from tests.users import PASSWORD, People, Person


class Caller(AsyncClient):
    """Somebody with an account, signed in."""

    def __init__(self, transport: ASGITransport, person: Person, tokens: Any) -> None:
        super().__init__(transport=transport, base_url="http://service")
        self.headers["Authorization"] = f"Bearer {tokens.access_token}"
        self.refresh_token: str = tokens.refresh_token
        self.person = person
        self.id: UUID = person.id
        self.email = person.email
        self.username = person.username
        self.url = f"/api/users/{person.id}"


class Callers:
    """Registers people and signs them in."""

    def __init__(self, transport: ASGITransport, bus: CQRSBus, clients: AsyncExitStack) -> None:
        self._transport = transport
        self._people = People(bus)
        self._clients = clients

    async def member(self) -> Caller:
        """A new member."""
        return await self._signed_in(await self._people.member())

    async def administrator(self) -> Caller:
        """A new administrator."""
        return await self._signed_in(await self._people.administrator())

    async def _signed_in(self, person: Person) -> Caller:
        tokens = (await person.login()).unwrap()
        return await self._clients.enter_async_context(Caller(self._transport, person, tokens))


def new_user(**fields: Any) -> dict[str, Any]:
    """A valid body for registering, but for these fields; None leaves one out."""
    valid = {"email": "ada@example.org", "username": "ada", "password": PASSWORD, "full_name": "Ada Lovelace"}
    return {name: value for name, value in {**valid, **fields}.items() if value is not None}
