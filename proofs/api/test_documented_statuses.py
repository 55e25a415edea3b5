"""Each status that an operation documents is provoked here, or stands in a list with the reason why it is not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from app.core.config import Settings
from support.every_operation import Operation, operations_in
from tests.api.callers import Caller, Callers
from tests.databases import ON_SQLITE

NOT_HERE = {
    409: "what is stored contradicts, or another transaction: tests of the routes and of the unit of work",
    429: "too many tries: tests of the throttles",
    500: "a bug: tests of errors",
    503: "the database is away, or something is full: tests of errors, and of health",
    504: "it took too long: tests of errors",
}
"""Statuses that are not provoked for each operation."""
NEVER = {
    ("get_me", 403): "everybody may read oneself",
    ("get_order_history", 403): "everybody has a history of orders",
    ("change_password", 404): "one changes one's own, and who is gone is logged out: 401",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A body is given up on at once."""
    return settings.model_copy(update={"body_timeout_seconds": 0.05})


@pytest.fixture
async def administrator(callers: Callers) -> Caller:
    """An administrator."""
    return await callers.administrator()


@pytest.fixture
async def member(callers: Callers) -> Caller:
    """A member."""
    return await callers.member()


Provoke = Callable[[Operation], Awaitable[Response]]


@ON_SQLITE
async def test_each_documented_status_is_provoked(
    app: FastAPI, client: AsyncClient, administrator: Caller, member: Caller
) -> None:
    operations = operations_in(app)
    orders = {one.name: one for one in operations}
    placed = (await orders["place_order"].send(client)).json()["order_id"] if "place_order" in orders else ""

    async def forbidden(one: Operation) -> Response:
        return await one.send(member, one.address(**({"order_id": placed} if "{order_id}" in one.path else {})))

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async def refused(one: Operation) -> Response:
        address = one.refused_address()
        if address is not None:
            return await one.send(administrator, address)
        return await one.send(administrator, content=b"[]", headers={"Content-Type": one.media_type})

    provoke: dict[int, Provoke] = {
        400: lambda one: one.send(administrator, f"{one.address()}?q=%zz"),
        401: lambda one: one.send(client, headers={"Authorization": "Bearer x"}),
        403: forbidden,
        404: lambda one: one.send(administrator),
        408: lambda one: one.send(administrator, content=endless(), headers={"Content-Type": one.media_type}),
        413: lambda one: one.send(administrator, content=b"", headers={"Content-Length": "99999999"}),
        414: lambda one: one.send(administrator, f"{one.address()}?q={'x' * 9000}"),
        415: lambda one: one.send(administrator, content=b"{}", headers={"Content-Type": "text/plain"}),
        422: refused,
        431: lambda one: one.send(administrator, headers={"X-Long": "x" * 40_000}),
        501: lambda one: one.send(administrator, headers={"Transfer-Encoding": "gzip"}),
    }
    problems = {status for one in operations for status in one.statuses if status >= 400}
    assert problems == provoke.keys() | NOT_HERE.keys()
    for status, send in provoke.items():
        documented = {one.name for one in operations if status in one.statuses and (one.name, status) not in NEVER}
        answers = {one.name: await send(one) for one in operations if one.name in documented}
        found = {name: answer.status_code for name, answer in answers.items() if answer.status_code != status}
        assert found == {}, status
