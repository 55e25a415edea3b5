"""Services and applications that are started in the process of a test. They end without delivering what is left."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from app.composition.container import HANDLERS, RunningService, running_service
from app.core.config import Settings
from tests.core.cqrs.support import PATIENCE


async def no_more() -> None:
    """Deliver nothing more."""


@asynccontextmanager
async def started(app: FastAPI) -> AsyncIterator[None]:
    """The application; it has time to start and to end, also on a busy machine."""
    async with LifespanManager(app, startup_timeout=PATIENCE, shutdown_timeout=PATIENCE):
        yield
        app.state.service.bus.delivery.finish = no_more


@asynccontextmanager
async def service_with(settings: Settings, handlers: Iterable[str] = (HANDLERS,)) -> AsyncIterator[RunningService]:
    """The service, put together as it is in production."""
    async with running_service(settings, handlers) as running:
        yield running
        running.bus.delivery.finish = no_more  # type: ignore[method-assign]
