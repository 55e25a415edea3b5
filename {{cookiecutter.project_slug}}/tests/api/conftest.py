"""What tests of the API have: the whole application, and people who call it over HTTP."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from app.composition.container import RunningService
from app.core.config import Settings
from app.main import create_app
from tests.api.callers import Callers
from tests.api.documented import Documented
from tests.lifespan import started


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, started."""
    app = create_app(settings)
    async with started(app):
        yield app


@pytest.fixture
def service(app: FastAPI) -> RunningService:
    """The service that the application runs on."""
    running: RunningService = app.state.service
    return running


@pytest.fixture
async def callers(app: FastAPI) -> AsyncIterator[Callers]:
    """People with accounts, signed in."""
    async with AsyncExitStack() as clients:
        yield Callers(ASGITransport(Documented(app)), app.state.service.bus, clients)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """Somebody who is not signed in."""
    async with AsyncClient(transport=ASGITransport(Documented(app)), base_url="http://service") as client:
        yield client
