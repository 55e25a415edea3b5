"""Who asks whether the bus has to be awaited is told so: background tasks, schedulers, decorators."""

import asyncio
import inspect
import sys
from functools import partial
from typing import Any

import pytest
from fastapi import APIRouter, BackgroundTasks
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select
from starlette._utils import is_async_callable

from app.api.routing import add_routes
from app.core.config import Settings
from app.core.cqrs import CQRSBus, DomainEvent, ICommand, IQuery
from app.core.cqrs.testing import MemoryBus
from app.core.request_bus import RequestBus
from app.dependencies import Bus
from app.main import create_app
from app.persistence.engine.database import Database
from app.persistence.tables import users
from tests.lifespan import started
from tests.users import create_user

BUSES: list[Any] = [CQRSBus(), MemoryBus(), RequestBus(CQRSBus(), None, None, None, None)]
SENDING = [
    getattr(bus, name)
    for bus in BUSES
    for name in ("execute_command", "execute_query", "execute", "publish_event")
    if hasattr(bus, name)
]


@pytest.mark.parametrize("send", SENDING, ids=lambda send: f"{type(send.__self__).__name__}.{send.__name__}")
def test_what_sends_a_message_is_a_coroutine_function(send: Any) -> None:
    for asked in (send, partial(send), send.__func__):
        assert is_async_callable(asked)
        if sys.version_info >= (3, 12):
            assert inspect.iscoroutinefunction(asked)
        if sys.version_info < (3, 14) and not isinstance(asked, partial):
            assert asyncio.iscoroutinefunction(asked)


def test_what_registers_is_none() -> None:
    assert not is_async_callable(CQRSBus().register)
    assert not is_async_callable(CQRSBus().shutdown)


async def test_called_it_gives_one_coroutine() -> None:
    class Ping(ICommand[None]): ...

    class Look(IQuery[None]): ...

    class Pinged(DomainEvent): ...

    bus: Any = MemoryBus()
    bus.register_command_handlers({Ping: _answering("Ping")})
    bus.register_query_handlers({Look: _answering("Look")})
    for sent in (
        bus.execute_command(Ping()),
        bus.execute_query(Look()),
        bus.execute(Ping()),
        bus.publish_event(Pinged()),
    ):
        assert inspect.iscoroutine(sent)
        await sent


def _answering(name: str) -> Any:
    async def _handle(self: Any, message: Any) -> None: ...

    return type(f"{name}Handler", (), {"_handle": _handle})()


router = APIRouter()


@router.post("/by-command")
async def register_by_command(bus: Bus, tasks: BackgroundTasks) -> None:
    tasks.add_task(bus.execute_command, create_user())


@router.post("/by-keyword")
async def register_by_keyword(bus: Bus, tasks: BackgroundTasks) -> None:
    tasks.add_task(partial(bus.bus.execute_command, command=create_user()))


@router.post("/by-either")
async def register_by_either(bus: Bus, tasks: BackgroundTasks) -> None:
    tasks.add_task(bus.bus.execute, create_user())


@pytest.mark.parametrize("address", ["/by-command", "/by-keyword", "/by-either"])
async def test_a_background_task_of_an_endpoint_is_done(settings: Settings, database: Database, address: str) -> None:
    app = create_app(settings)
    add_routes(app, router)
    async with started(app), AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        assert (await client.post(address)).status_code == 200
    async with database.reading() as session:
        assert [*await session.scalars(select(users.c.username))] == ["ada"]
